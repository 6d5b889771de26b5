#!/usr/bin/perl

# make deb: a package for Debian's nginx, that puts the module in and loads it
# before others.  It is installed and purged in a copy of this system, which
# ends with the test.

###############################################################################

use warnings;
use strict;

use File::Temp qw/ tempdir /;
use Test::More;

use WebhookTest;

###############################################################################

my $so = defined $ENV{WEBHOOK_MODULE} ? $ENV{WEBHOOK_MODULE}
	: repo('build/ngx_http_webhook_module.so');

plan(skip_all => 'not built for Debian\'s nginx')
	if $so ne repo('build/ngx_http_webhook_module.so')
		|| !-x '/usr/bin/dh_nginx';

my $dir = tempdir(CLEANUP => 1);
chmod 0755, $dir;

my $said = `env -u MAKEFLAGS make -C @{[repo()]} deb DEB=$dir/deb 2>&1`;
is($?, 0, 'built') or diag($said);

my ($deb) = $said =~ m!^built (\Q$dir\E/deb/\S+_[\d.]+-1_\w+\.deb)$!m;
ok($deb && -f $deb, 'where it says') or diag($said);

chomp(my $depends = `dpkg-deb -f $deb Depends`);

like($depends, qr/(^|, )nginx-abi-[\d.]+-\d+(,|$)/, 'for this nginx alone');
like($depends, qr/(^|, )$_/, "needs $_") for qw/ libcurl4 libjansson4 libssl3
	libsqlite3-0 /;

chomp(my @files = `dpkg-deb -c $deb`);
s!^.* \.(/\S+)$!$1! for @files;

my $doc = '/usr/share/doc/libnginx-mod-http-webhook';

is(join(' ', grep { m!^/(usr/lib|etc)/\S+[^/]$! && !m!/webhook/! } @files),
	'/usr/lib/nginx/modules/ngx_http_webhook_module.so', 'the module');

for my $name (qw/ README.md nginx.conf openapi.yaml alerts.yml
	grafana-dashboard.json /)
{
	ok((grep { $_ eq "$doc/$name" } @files), "$name, to be read");
}

is(join(' ', sort split ' ', `dpkg-deb -I $deb conffiles`),
	join(' ', map { s!.*/!/etc/nginx/webhook/!r }
		sort glob repo('conf/webhook') . '/*.conf'),
	'changes to descriptions are kept');

like(`dpkg-deb -c $dir/deb/*-dbgsym_*.deb`, qr/\.debug$/m, 'debug symbols');

###############################################################################

write_file("$dir/webhook.conf", <<'EOF');
webhook_zone zone=webhooks:1m;
include webhook/virtuoso.conf;

server {
    listen unix:/run/webhook.sock;

    location /api/ {
        webhook_observe virtuoso;
        webhook ci { url http://127.0.0.1:9/; }
        return 204;
    }

    location /status/ { webhook_status; }
}
EOF

write_file("$dir/inside", <<'EOF');
dpkg -i /package.deb || echo "failed: dpkg -i"
ls /etc/nginx/modules-enabled | sed 's/^/enabled: /'
cp /webhook.conf /etc/nginx/conf.d/
nginx || echo "failed: nginx"
curl -s --unix-socket /run/webhook.sock http://x/status/hooks \
    | sed 's/^/hooks: /'
echo
nginx -s stop
rm /etc/nginx/conf.d/webhook.conf
dpkg -P libnginx-mod-http-webhook || echo "failed: dpkg -P"
nginx -t 2>&1 || echo "failed: nginx -t"
find /etc/nginx /usr/lib/nginx /usr/share/nginx /usr/share/doc \
    | grep 'http.webhook' | sed 's/^/left: /'
echo "end"
EOF

write_file("$dir/outside", <<'EOF');
set -e
mount -t tmpfs none /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay none \
    -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
mount --rbind /dev /mnt/root/dev
mount -t proc none /mnt/root/proc
cd "$1"
cp webhook.conf inside /mnt/root/
cp "$2" /mnt/root/package.deb
printf '#!/bin/sh\nexit 101\n' > /mnt/root/usr/sbin/policy-rc.d
chmod 755 /mnt/root/usr/sbin/policy-rc.d
echo "begin"
exec chroot /mnt/root sh /inside
EOF

my $all = `unshare --mount --net --pid --fork --kill-child \\
	sh $dir/outside $dir $deb 2>&1`;

SKIP: {

skip "no copy of this system: $all", 5 unless $all =~ /^begin$/m;

unlike($all, qr/^failed: /m, 'installed and purged') or diag($all);

like(($all =~ /^enabled: (.*)/m)[0], qr/^\d+-mod-http-webhook\.conf$/,
	'loaded before others');

my ($hooks) = $all =~ /^hooks: (.*)/m;

like($hooks, qr/"name":"ci"/, 'works');
unlike($all, qr/^left: /m, 'nothing is left of it') or diag($all);
like($all, qr/^end$/m, 'to the end') or diag($all);

}

done_testing();

###############################################################################
