FROM python:3.12-slim

WORKDIR /app
ENV PYTHONPATH=/app PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=2 \
    ASSAY_DATA_DIR=/data ASSAY_AUTH=on DJANGO_SETTINGS_MODULE=assay.platform.settings

COPY requirements.txt requirements-team.txt ./
COPY sdk ./sdk
RUN pip install --no-cache-dir -r requirements.txt -r requirements-team.txt

COPY . .
# Compiled here: nobody may write there later, and each start would compile it anew.
RUN python -m compileall -q .
RUN useradd --system --uid 10001 assay && mkdir /data && chown assay /data
USER assay
VOLUME /data
EXPOSE 8080
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0"]
