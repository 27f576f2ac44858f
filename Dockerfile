# The image of budapp: `docker build -t budapp .`; settings come from the environment.

FROM python:3.11-slim AS build
# "peers" makes the image of the stand-ins instead, which need a package more.
ARG REQUIREMENTS=app
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
WORKDIR /app
COPY deploy/requirements/uv.txt deploy/requirements/${REQUIREMENTS}.txt ./
RUN pip install --no-cache-dir --require-hashes -r uv.txt \
    && uv venv \
    && uv pip sync --no-cache --require-hashes ${REQUIREMENTS}.txt

FROM python:3.11-slim
ENV PATH=/app/bin:/app/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    APP_HOST=0.0.0.0 \
    APP_PORT=9081
RUN useradd --system --uid 10001 --no-create-home budapp
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY deploy/image bin
COPY alembic.ini ./
COPY alembic alembic
COPY budapp budapp
USER 10001
EXPOSE 9081
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["python", "-c", \
    "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"APP_PORT\"]}/livez', timeout=2)"]
ENTRYPOINT ["budapp"]
CMD ["serve"]
