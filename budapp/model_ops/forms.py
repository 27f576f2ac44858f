"""The form that models are edited with."""

from typing import Annotated
from uuid import UUID

from fastapi import File, Form, Path, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from budapp.model_ops.schemas import ModelEdit

Text = Annotated[str | None, Form()]
JsonText = Annotated[str | None, Form(description='JSON: `[{"name": "...", "color": "#3F8EF7"}]`')]

_CLEARED_BY_BLANKS = ("description", "paper_urls", "github_url", "huggingface_url", "website_url")


async def edit_form(
    request: Request,
    _id: Annotated[UUID, Path(alias="model_id")],  # so that the form is not looked at where this is no id
    name: Text = None,
    description: Text = None,
    tags: JsonText = None,
    tasks: JsonText = None,
    icon: Text = None,
    paper_urls: Annotated[str | None, Form(description="Addresses, separated by commas")] = None,
    github_url: Text = None,
    huggingface_url: Text = None,
    website_url: Text = None,
    license_url: Text = None,
    license_file: Annotated[UploadFile | None, File(description="Text or PDF")] = None,
    remove_license: Annotated[bool, Form()] = False,
) -> ModelEdit:
    """Read the form. FastAPI takes a blank field for one that is missing; here it may mean to clear what there is.

    Raises:
        RequestValidationError: a field that can't be.
    """
    fields = {
        **{"name": name, "description": description, "tags": tags, "tasks": tasks, "icon": icon},
        **{"paper_urls": paper_urls, "github_url": github_url, "huggingface_url": huggingface_url},
        **{"website_url": website_url, "license_url": license_url, "license_file": license_file},
    }
    posted = await request.form()
    blank = {field: "" for field in _CLEARED_BY_BLANKS if posted.get(field) == ""}
    given = {field: value for field, value in fields.items() if value is not None}
    try:
        removed = {"remove_license": True} if remove_license else {}
        return ModelEdit.model_validate({**blank, **given, **removed})
    except ValidationError as error:
        found = [{**problem, "loc": ("body", *problem["loc"])} for problem in error.errors()]
        raise RequestValidationError(found) from error
