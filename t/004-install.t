#!/usr/bin/perl

# make install: the module and all that goes with it, where README.md says.

###############################################################################

use warnings;
use strict;

use File::Basename qw/ basename /;
use File::Temp qw/ tempdir /;
use Test::More;

use WebhookTest;

###############################################################################

my $dir = tempdir(CLEANUP => 1);
my $so = write_file("$dir/ngx_http_webhook_module.so", 'module');
my $repo = repo();

# as if it were built

my $said = `env -u MAKEFLAGS make -C $repo -o all install so=$so \\
	DESTDIR=$dir/root 2>&1`;

is($?, 0, 'installed') or diag($said);

my %files = ('usr/lib/nginx/modules/ngx_http_webhook_module.so' => $so);

$files{'etc/nginx/webhook/' . basename($_)} = $_
	for glob repo('conf/webhook') . '/*.conf';

$files{"usr/share/doc/ngx_http_webhook_module/$_"} = repo("conf/$_")
	for qw/ nginx.conf alerts.yml grafana-dashboard.json openapi.yaml /;

$files{"usr/share/doc/ngx_http_webhook_module/$_"} = repo($_)
	for qw/ README.md LICENSE /;

chomp(my @found = `cd $dir/root && find . -type f | sort`);
s!^\./!! for @found;

is_deeply(\@found, [ sort keys %files ], 'these files');

for my $name (@found) {
	my $file = "$dir/root/$name";

	is(read_file($file), read_file($files{$name} || ''), $name);
	is((stat $file)[2] & 07777, 0644, "$name - for all to read");
}

for my $place (map { /^(.*)\// } @found) {
	ok(index(read_file(repo('README.md')), "/$place") > 0,
		"README.md has /$place");
}

# linked in there is no module to put anywhere, but all the rest

$said = `env -u MAKEFLAGS make -C $repo -o all install so= \\
	DESTDIR=$dir/static 2>&1`;

is($?, 0, 'linked in') or diag($said);

chomp(my @static = `cd $dir/static && find . -type f | sort`);
s!^\./!! for @static;

is_deeply(\@static, [ grep { !/\.so$/ } @found ], 'linked in - the rest');

# a place that neither make nor nginx's configure can take

mkdir "$dir/a b";
$said = `cd '$dir/a b' && env -u MAKEFLAGS make -f $repo/Makefile 2>&1`;

like($said, qr/the path of this directory has a space/, 'a space');

done_testing();

###############################################################################
