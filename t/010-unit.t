#!/usr/bin/perl

# The rooms that need no running nginx, each by a C program of its own in
# t/unit, under AddressSanitizer and UBSan.  A program's first lines say what
# it is linked with:
#
#	 * rooms: json json_text
#	 * libs: curl

###############################################################################

use warnings;
use strict;

use File::Basename;
use File::Temp;
use Test::More;

use WebhookTest;

###############################################################################

my ($out) = grep { -f "$_/ngx_auto_config.h" }
	map { dirname($_) } grep { $_ }
	@ENV{'WEBHOOK_MODULE', 'WEBHOOK_NGINX'}, repo('build/any');

plan skip_all => 'no headers of a build: make' unless $out;

# the tree that the build was configured in, and how it finds its headers

my ($tree) = grep { -f "$_/src/core/nginx.h" }
	"$out/source", split ' ', slurp("$out/inputs");

my %seen;
my @includes = grep { !$seen{$_}++ }
	map { m!^/! ? $_ : "$tree/$_" }
	slurp("$out/Makefile") =~ /-I *(\S+)/g;

my $dir = File::Temp->newdir();
my @programs = map { basename($_, '.c') }
	grep { !m!/(unit|pool)\.c$! } sort glob repo('t/unit') . '/*.c';

plan tests => scalar @programs;

for my $name (@programs) {
	subtest $name => sub { program($name) };
}

###############################################################################

sub program {
	my ($name) = @_;

	my $source = repo("t/unit/$name.c");
	my ($rooms) = slurp($source) =~ /^ \* rooms: (.*)$/m;
	my ($libs) = slurp($source) =~ /^ \* libs: (.*)$/m;

	my @command = ('cc', '-o', "$dir/$name", '-g', '-O1', '-W', '-Wall',
		'-Werror', '-Wno-unused-parameter',
		'-fsanitize=address,undefined', '-fno-sanitize-recover=undefined',
		'-fno-omit-frame-pointer', "-DUNIT_DIR=\"" . repo('t') . '"',
		(map { "-I$_" } repo('src'), repo('t/unit'), @includes),
		$source, repo('t/unit/unit.c'), repo('t/unit/pool.c'),
		(map { repo("src/ngx_http_webhook_$_.c") } split ' ', $rooms),
		(map { "-l$_" } split ' ', $libs || ''),
		'-ljansson', '-lcrypto', '-lpcre2-8', '-lm');

	my $said = run(@command);

	ok($? == 0, 'compiled') or return diag($said);

	$said = run("$dir/$name");
	my $status = $?;

	for my $line (split /\n/, $said) {

		if ($line =~ /^(ok|not ok) - (.*)$/) {
			ok($1 eq 'ok', $2);

		} elsif ($line =~ /^# /) {
			diag($line);
		}
	}

	ok($status == 0, 'ended well') or diag($said);
}

sub run {
	my (@command) = @_;

	open my $f, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command
		or die "sh: $!\n";
	my $said = do { local $/; <$f> };
	close $f;

	return $said;
}

sub slurp {
	my ($name) = @_;

	open my $f, '<', $name or return '';
	local $/;

	return scalar <$f>;
}

###############################################################################
