# syntax=docker/dockerfile:1
# Images of one project:
#
#   docker build --target promoter .     what charts/promoter runs: no TensorFlow, less than 200 MB
#   docker build --target workflows .    what workflows/ runs: TensorFlow too, some 2 GB
#   docker build --target model-server . the sandbox's model server, for clusters that try things out
#
# All run as user 10001 and write nothing but to volumes and /tmp.
ARG PYTHON=3.13-slim-trixie

FROM python:${PYTHON} AS build
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/promoter UV_NO_CACHE=1
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /src
# Packages change less often than the project: what was installed of them serves the next build, too.
COPY pyproject.toml uv.lock ./

FROM build AS build-promoter
# Of the 400 services that botocore describes the promoter speaks to these: of 19 MB a third of a megabyte stays. It
# speaks English, so Apprise's translations go, and shows no program in colours, so the languages that Pygments knows do,
# as well as pictures and other libraries' tests.
RUN uv sync --locked --no-dev --no-install-project --extra notify --extra workflows \
 && find /opt/promoter/lib/python3*/site-packages/botocore/data -mindepth 1 -maxdepth 1 -type d \
    ! -name s3 ! -name sts ! -name sso ! -name sso-oidc ! -name signin -exec rm -r {} + \
 && find /opt/promoter/lib/python3*/site-packages/apprise/i18n -mindepth 1 -maxdepth 1 -type d -exec rm -r {} + \
 && find /opt/promoter/lib/python3*/site-packages/pygments/lexers -name '[a-z]*.py' -delete \
 && find /opt/promoter/lib/python3*/site-packages/pygments/styles -name '[a-z]*.py' -delete \
 && rm -r /opt/promoter/lib/python3*/site-packages/apprise/assets \
    /opt/promoter/lib/python3*/site-packages/icalendar/tests \
    /opt/promoter/lib/python3*/site-packages/recurring_ical_events/test
COPY README.md LICENSE ./
COPY promoter promoter
COPY workflows workflows
RUN uv sync --locked --no-dev --no-editable --extra notify --extra workflows --inexact

FROM build AS build-workflows
RUN uv sync --locked --no-dev --no-install-project --extra signing --extra verify --extra workflows
COPY README.md LICENSE ./
COPY promoter promoter
COPY workflows workflows
RUN uv sync --locked --no-dev --no-editable --extra signing --extra verify --extra workflows --inexact

FROM build AS build-model-server
RUN uv sync --locked --no-dev --no-install-project --extra sandbox
COPY README.md LICENSE ./
COPY promoter promoter
COPY workflows workflows
RUN uv sync --locked --no-dev --no-editable --extra sandbox --inexact

FROM python:${PYTHON} AS run
# Bytecode goes where something can be written; it is made at the first start, and is not in the image.
ENV PATH=/opt/promoter/bin:$PATH PYTHONUNBUFFERED=1 PYTHONPYCACHEPREFIX=/tmp/pycache
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /etc/promoter/home --shell /usr/sbin/nologin promoter
USER 10001:10001

FROM run AS workflows
COPY --from=build-workflows /opt/promoter /opt/promoter

FROM run AS model-server
COPY --from=build-model-server /opt/promoter /opt/promoter
# What the chart calls, with the arguments of the original.
COPY scripts/tensorflow_model_server /usr/bin/tensorflow_model_server
ENTRYPOINT ["/usr/bin/tensorflow_model_server"]

FROM run AS promoter
COPY --from=build-promoter /opt/promoter /opt/promoter
ENTRYPOINT ["promoter"]
CMD ["run"]
