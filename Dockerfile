# The image of every service: pages, importer and trainer differ by their command only.
FROM node:22-slim AS pages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund --ignore-scripts

FROM python:3.12-slim
# "gpu" installs the CUDA libraries: docker build --build-arg EXTRA=gpu
ARG EXTRA=""
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PATH=/app/.venv/bin:$PATH \
    UV_COMPILE_BYTECODE=1 BOTFACTORY_HOME=/data/var CHECKPOINTS_DIR=/data/checkpoints OPENBLAS_NUM_THREADS=1
WORKDIR /app
# No process may write beside its modules, and each would compile them again: of TensorFlow that takes seconds.
RUN python -m compileall -q -x '/tests?/|site-packages' "$(python -c 'import os; print(os.path.dirname(os.__file__))')"
COPY pyproject.toml uv.lock ./
RUN pip install --no-cache-dir uv==0.13.9 \
 && uv sync --frozen --no-dev --no-cache ${EXTRA:+--extra $EXTRA} \
 && pip uninstall -y uv
COPY --from=pages /app/node_modules node_modules
COPY manage.py ./
COPY botfactory botfactory
COPY tweets tweets
COPY models_app models_app
COPY publishing publishing
COPY templates templates
COPY locale locale
COPY static static
RUN python -m compileall -q botfactory tweets models_app publishing
COPY checkpoints checkpoints
COPY docker-entrypoint.sh /usr/local/bin/
RUN useradd --create-home --uid 1000 botfactory && mkdir -p /data && chown botfactory /data
USER botfactory
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["python", "manage.py", "web", "--host", "0.0.0.0"]
