# make                     build build/ngx_http_webhook_module.so for the
#                          installed nginx (package nginx-dev)
# make NGX_SRC=DIR         build nginx and the module from a source tree;
#                          STATIC=1 links the module in
# make install             put the module and its files where nginx looks
# make deb                 make a package of that, for the installed nginx
# make deps                install the packages that are missing (Debian)
# make test                run the tests; T=t/foo.t chooses, SANITIZE=1 runs
#                          them under AddressSanitizer and UBSan, VALGRIND=1
#                          under valgrind, NGX_SRC=DIR with that nginx
# make demo                see one execution's deliveries
# make bench               deliveries a second, beside others' and beside wrk's,
#                          and the cost of observing, in Markdown; LONG=1 takes
#                          all rows, PARTS="sending peers proxied latency
#                          isolation outage scale idle" chooses, ROUNDS=3,
#                          WAITING=20000, DURATION=1; README=1 puts it into
#                          README.md
# make fuzz                libFuzzer on the pure rooms, FUZZ=60 seconds each
# make lint                clang-tidy and cppcheck on src/; some minutes, then
#                          only what has changed
# make matrix              build and test with every nginx that is supported,
#                          each in a Debian of its own below MATRIX=DIR (which
#                          is build/matrix; as root), by gcc and clang, as a
#                          dynamic module and linked in;
#                          T= chooses tests, CELLS="sid-gcc" what is tested
# make storm               kills, reloads and bad receivers for STORM=300
#                          seconds, with another SEED each time; one with a
#                          store, too: names, certificates and a full disk, and
#                          kills of everything at once; a million deliveries
# make clean
#
# V=1 shows the compiler's command lines.

NAME = ngx_http_webhook_module
NGX_DEV = /usr/share/nginx/src
NGINX = /usr/sbin/nginx
MODULES_DIR = /usr/lib/nginx/modules
CONF_DIR = /etc/nginx/webhook
DOC_DIR = /usr/share/doc/$(NAME)

# nginx's own options when built from a source tree; a module built so loads
# into any nginx of that version configured --with-compat
NGX_CONF = --with-compat --with-debug --with-threads --with-pcre-jit \
           --with-http_ssl_module --with-http_v2_module \
           --with-http_realip_module --with-http_auth_request_module \
           --with-http_gunzip_module --with-http_gzip_static_module \
           --with-http_slice_module --with-http_addition_module \
           --with-http_sub_module --with-http_stub_status_module \
           --error-log-path=stderr

SHELL = /bin/bash
here = $(CURDIR)
quiet = $(if $(V),,-s)
jobs = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

ifneq ($(word 2,$(CURDIR)),)
$(error the path of this directory has a space, which make and nginx's \
    configure do not take)
endif

ifdef NGX_SRC

tree = $(abspath $(NGX_SRC))
version = $(shell sed -n 's/^.define NGINX_VERSION *"\(.*\)"/\1/p' \
            $(tree)/src/core/nginx.h)
out = $(here)/build/nginx-$(version)$(if $(STATIC),-static)
nginx = $(out)/nginx
configure = $(firstword $(wildcard $(tree)/configure) $(tree)/auto/configure)

else

tree = $(NGX_DEV)
out = $(here)/build
nginx = $(NGINX)

endif

so = $(if $(STATIC),,$(out)/$(NAME).so)
add = --add-$(if $(STATIC),,dynamic-)module=$(here)

# a new source file, another option, compiler or nginx, or SQLite's coming or
# going means: configure again
inputs = $(sort $(wildcard src/*.c src/*.h)) $(tree) $(NGX_CONF) $(CC) \
         $(wildcard /usr/include/sqlite3.h) \
         $(shell cat config src/page* | cksum) $(shell cksum < Makefile) \
         $(shell cat $(tree)/conf_flags 2>/dev/null | cksum) \
         $(shell cat $(tree)/src/core/nginx.h 2>/dev/null | cksum)

T ?= t
PROVE_JOBS ?= $(shell nproc)
DESTDIR =
DEB = $(here)/build/deb
package = libnginx-mod-http-webhook
release = $(shell sed -n 's/^.define NGX_HTTP_WEBHOOK_VERSION *"\(.*\)"/\1/p' \
            src/ngx_http_webhook.h)


all: $(out)/Makefile
	@$(MAKE) $(quiet) --no-print-directory $(jobs) -f $(out)/Makefile \
	    -C $(tree) $(if $(NGX_SRC),binary) modules
	@echo "built $(or $(so),$(nginx))"

$(out)/inputs: FORCE
	@mkdir -p $(out)
	@echo '$(inputs)' | cmp -s - $@ || echo '$(inputs)' > $@

ifdef NGX_SRC

$(out)/Makefile: $(out)/inputs
	@echo "configuring for nginx $(version)"
	@cd $(tree) && $(configure) $(NGX_CONF) --with-cc-opt="-g -O2 -fPIC" \
	    $(add) --builddir=$(out) \
	    > $(out)/configure.log || { tail -5 $(out)/configure.log; exit 1; }

else

$(out)/Makefile: $(out)/inputs
	@test -f $(tree)/conf_flags || { \
	    echo "$(tree) is missing: \"make deps\" installs what is needed"; \
	    exit 1; }
	@echo "configuring for the installed nginx"
	@cd $(tree) && . ./conf_flags \
	&& ./configure "$${NGX_CONF_FLAGS[@]}" \
	    --with-cc-opt="-g -O2 -fPIC `dpkg-buildflags --get CPPFLAGS`" \
	    --with-ld-opt="`dpkg-buildflags --get LDFLAGS` -fPIC" \
	    $(add) --builddir=$(out) \
	    > $(out)/configure.log || { tail -5 $(out)/configure.log; exit 1; }

endif

install: all
	install -d $(DESTDIR)$(MODULES_DIR) $(DESTDIR)$(CONF_DIR) \
	    $(DESTDIR)$(DOC_DIR)
	$(if $(so),install -m 644 $(so) $(DESTDIR)$(MODULES_DIR)/)
	install -m 644 conf/webhook/*.conf $(DESTDIR)$(CONF_DIR)/
	install -m 644 README.md LICENSE conf/nginx.conf conf/openapi.yaml \
	    conf/alerts.yml conf/grafana-dashboard.json $(DESTDIR)$(DOC_DIR)/

# dh_nginx has it depend on the ABI of the installed nginx; what it is built with
# is in t/bin/deps

deb:
	$(if $(NGX_SRC),$(error "make deb" is for the installed nginx))
	@t/bin/deps demo
	@$(MAKE) --no-print-directory all
	@rm -rf $(DEB)
	@mkdir -p $(DEB)/source
	@cp -r conf/debian $(DEB)/source/
	@cp LICENSE $(DEB)/source/debian/copyright
	@printf '%s (%s-1) unstable; urgency=medium\n\n  * %s\n\n -- %s  %s\n' \
	    $(package) $(release) "Built from its sources." \
	    "`sed -n 's/^Maintainer: //p' conf/debian/control`" "`date -R`" \
	    > $(DEB)/source/debian/changelog
	@cd $(DEB)/source && env -u MAKEFLAGS TOP=$(here) SO=$(so) \
	    dpkg-buildpackage -b -d --no-sign > ../log 2>&1 \
	    || { tail -20 ../log; exit 1; }
	@echo "built `echo $(DEB)/$(package)_*.deb`"

clean:
	rm -rf build t/node/node_modules t/bench/node_modules

deps:
	@t/bin/deps $(if $(VALGRIND),valgrind)


test_env = WEBHOOK_NGINX=$(nginx) WEBHOOK_MODULE=$(so)
test_needs = all

export STORM SEED FUZZ

ifdef VALGRIND
test_env += WEBHOOK_VALGRIND=1
endif

ifdef SANITIZE
test_env = WEBHOOK_NGINX=$(here)/build/sanitize/nginx WEBHOOK_MODULE= \
           WEBHOOK_SANITIZE=1
test_needs = sanitize
endif

# packages first: make reads what they bring, so another make does the work

demo:
	@t/bin/deps demo
	@$(MAKE) --no-print-directory $(test_needs)
	@$(test_env) t/bin/demo

test: deps
	@$(MAKE) --no-print-directory $(test_needs) t/node/node_modules/.done
	$(test_env) prove -j$(PROVE_JOBS) -It/lib $(T)

fuzz:
	@t/bin/deps fuzz
	@$(MAKE) --no-print-directory all
	@t/bin/fuzz

storm:
	@$(MAKE) --no-print-directory test \
	    T="t/011-zone.t t/013-zone-store.t t/076-storm.t t/094-store-storm.t" \
	    STORM=$(or $(STORM),300) \
	    SEED=$(or $(SEED),$(shell date +%s))

bench:
	@t/bin/deps bench
	@$(MAKE) --no-print-directory all build/bench/curl build/bench/latency \
	    t/bench/node_modules/.done
	@WEBHOOK_NGINX=$(nginx) WEBHOOK_MODULE=$(so) t/bench/bench

build/bench/%: t/bench/%.c
	@mkdir -p build/bench
	@$(CC) -O2 -Wall -Werror -o $@ $< -lcurl

lint:
	@t/bin/deps lint
	@$(MAKE) --no-print-directory all
	@t/bin/lint $(out) $(tree)

matrix:
	@t/bin/deps matrix
	@T="$(T)" t/bin/matrix $(or $(MATRIX),build/matrix) $(CELLS)

sanitize:
	@t/bin/sanitize build/sanitize

# npm keeps what it fetches in the user's home, if there is one

%/node_modules/.done: %/package.json
	cd $* && $(if $(shell test -w ~ && echo 1),,npm_config_cache=$(here)/build/npm) \
	    npm install --no-package-lock --no-audit --no-fund \
	    --ignore-scripts --loglevel=error
	@touch $@

.DELETE_ON_ERROR:

FORCE:

.PHONY: all install deb clean deps demo test fuzz storm bench lint matrix \
    sanitize FORCE
