# SPDX-License-Identifier: BSD-2-Clause
# Both programs in one image; tcpcopy is the one that runs unless the first word is "intercept":
#
#   docker build -t tcpcopy .
#   docker run --rm --net=host --cap-drop=ALL --cap-add=NET_RAW --cap-add=NET_ADMIN tcpcopy \
#     -x 80-10.0.0.2:8080 -s 10.0.0.3 -c 10.20.30.x
#   docker run --rm --net=host --cap-drop=ALL --cap-add=NET_RAW --cap-add=NET_ADMIN tcpcopy \
#     intercept -i eth0 -F 'tcp and src port 8080'
#
# The user stays root, which with all capabilities dropped but these two means little. Another user would
# need them as capabilities of the files: "docker run" would then fail without a word as soon as one is not
# added, or with no-new-privileges. The programs give up what they no longer need by themselves.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY tests/setup.sh tests/
RUN tests/setup.sh build
COPY . .
RUN ./autogen.sh && ./configure -q && make -j"$(nproc)" install-sbinPROGRAMS DESTDIR=/out && \
    strip /out/usr/local/sbin/*

FROM ${BASE}
RUN apt-get -qq update && \
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
      libcap-ng0 libdumbnet1 libevent-core-2.1-7 libpcap0.8 >/dev/null && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
COPY --from=build /out/usr/local/sbin/ /usr/local/sbin/
COPY deploy/entrypoint.sh /usr/local/bin/
ENTRYPOINT ["entrypoint.sh"]
