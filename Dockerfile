FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN useradd --create-home --uid 10001 twofold \
    && mkdir -p /var/lib/twofold/lake /var/lib/twofold/keys /var/lib/twofold/reports && chown -R twofold:twofold /var/lib/twofold

WORKDIR /opt/twofold
COPY requirements.lock ./
RUN pip install --no-deps --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY twofold ./twofold
COPY speed_layer ./speed_layer
COPY batch_layer ./batch_layer
COPY serving ./serving
COPY flows ./flows
RUN pip install --no-deps --no-build-isolation .

USER twofold
WORKDIR /var/lib/twofold
CMD ["twofold", "--help"]
