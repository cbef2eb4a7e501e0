# The project and its environment in /app, where `kedro schedule export kubernetes --image` expects them.
#   docker build -t lepton-pipeline .                                                     CPU
#   docker build -t lepton-pipeline:cuda --build-arg TORCH_INDEX=https://pypi.org/simple .   CUDA, gigabytes more
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS environment
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /app
RUN python -m venv .venv
COPY constraints.txt ./
# The constrained torch comes first: what is installed later must not draw in another build of it.
RUN .venv/bin/pip install --no-cache-dir --constraint constraints.txt --extra-index-url "$TORCH_INDEX" torch
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN .venv/bin/pip install --no-cache-dir --constraint constraints.txt --editable '.[postgres]'

FROM python:${PYTHON}-slim
RUN useradd --create-home --uid 1000 lepton && mkdir -p /app/data && chown lepton /app /app/data
WORKDIR /app
COPY --from=environment /app/.venv .venv
COPY --chown=lepton pyproject.toml README.md LICENSE constraints.txt ./
COPY --chown=lepton src src
COPY --chown=lepton conf conf
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1
USER lepton
ENTRYPOINT ["kedro"]
CMD ["vertical", "list"]
