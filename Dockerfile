FROM python:3.11.14-slim-bookworm AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/twofold
ENV PATH=/opt/twofold/bin:$PATH
WORKDIR /usr/src/twofold
COPY requirements.lock ./
RUN pip install --no-deps --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY twofold ./twofold
COPY speed_layer ./speed_layer
COPY batch_layer ./batch_layer
COPY serving ./serving
COPY flows ./flows
RUN pip install --no-deps --no-build-isolation .


FROM python:3.11.14-slim-bookworm AS runtime

ENV PYTHONUNBUFFERED=1 PATH=/opt/twofold/bin:$PATH
RUN useradd --create-home --uid 10001 twofold \
    && mkdir -p /var/lib/twofold/lake /var/lib/twofold/keys /var/lib/twofold/reports && chown -R twofold:twofold /var/lib/twofold
COPY --from=build /opt/twofold /opt/twofold

USER twofold
WORKDIR /var/lib/twofold
COPY prefect.yaml ./
CMD ["twofold", "--help"]


FROM runtime AS spark

USER root
RUN apt-get update && apt-get install -y --no-install-recommends openjdk-17-jre-headless && rm -rf /var/lib/apt/lists/*
USER twofold
