# One image for every service: Airflow's components, its Celery workers, the stand-in departments.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    AIRFLOW_HOME=/opt/airflow PYTHONPATH=/opt/innopoints:/opt/innopoints/config GX_ANALYTICS_ENABLED=false

WORKDIR /opt/innopoints
COPY requirements.txt ./
RUN pip install -r requirements.txt

RUN useradd --uid 50000 --create-home innopoints \
    && install -d -o innopoints -g innopoints /opt/airflow /var/lib/innopoints

COPY config ./config
COPY plugins ./plugins
COPY dags ./dags
COPY include ./include
COPY pyproject.toml requirements.in ./
RUN pip install --no-deps -e .

USER innopoints
VOLUME /var/lib/innopoints
CMD ["airflow", "version"]
