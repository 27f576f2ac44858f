from fastapi import APIRouter, Depends, Response

from budapp.commons.access import Public
from budapp.commons.openapi import download
from budapp.model_ops.license_files import LicenseFilesDep

router = APIRouter(tags=["models"])


@router.get(
    "/static/licenses/{token}/{file_name}",
    dependencies=[Depends(Public())],
    response_class=Response,
    responses=download("application/pdf", "text/plain", "text/markdown", "text/x-rst"),
)
async def get_license_file(token: str, file_name: str, files: LicenseFilesDep) -> Response:
    """Return a license file; the link comes with the model and is valid for a short time, for anyone."""
    content, media_type = await files.read(token)
    headers = {"content-security-policy": "default-src 'none'; sandbox", "content-disposition": "inline"}
    return Response(content, media_type=media_type, headers=headers)
