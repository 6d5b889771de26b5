#!/usr/bin/perl

# An nginx that was configured with as little as can be: the module compiles for
# it, and configure says what is missing then.  Nothing is built.

###############################################################################

use warnings;
use strict;

use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;
use Test::More;

use WebhookTest;

###############################################################################

# the tree that the module was built for

my ($out) = grep { -f "$_/inputs" } map { dirname($_) } grep { $_ }
	@ENV{'WEBHOOK_MODULE', 'WEBHOOK_NGINX'}, repo('build/any');

my ($tree) = grep { -x "$_/configure" && -d "$_/src/core" }
	$out ? ("$out/source", split ' ', read_file("$out/inputs")) : ();

plan skip_all => 'no tree of a build: make' unless $tree;

my $dir = tempdir(CLEANUP => 1);
my $repo = repo();

my @without = map { "--without-$_" } qw/
	pcre http_rewrite_module http_gzip_module http-cache
	http_upstream_keepalive_module http_upstream_zone_module /;

###############################################################################

my ($status, $said) = configure('small', @without);

is($status, 0, 'nearly nothing - configured') or diag($said);
like($said, qr/webhook_store will not be available.*--with-threads/,
	'nearly nothing - configure says that there is no store');

is(compile('small'), '', 'nearly nothing - compiles');

###############################################################################

($status, $said) = configure('threads', '--with-threads', @without);

is($status, 0, 'threads - configured') or diag($said);
unlike($said, qr/--with-threads/, 'threads - none are missing');

###############################################################################

($status, $said) = configure('mail', '--without-http', @without);

isnt($status, 0, 'no http - refused');
like($said, qr/webhook module requires .*http/i, 'no http - configure says so');

###############################################################################

done_testing();

###############################################################################

# a copy of the tree, as configure may write in it

sub configure {
	my ($name, @options) = @_;

	my $copy = "$dir/tree";

	system('cp', '-r', $tree, $copy) unless -d $copy;

	my $text = `cd $copy && ./configure --builddir=$dir/$name @options \\
		--add-dynamic-module=$repo 2>&1`;

	return ($?, $text);
}

sub compile {
	my ($name) = @_;

	my $makefile = read_file("$dir/$name/Makefile");

	my ($cc) = $makefile =~ /^CC\s*=\s*(.*)$/m;
	my ($flags) = $makefile =~ /^CFLAGS\s*=\s*(.*)$/m;
	my %seen;
	my @includes = map { "-I$_" } grep { !$seen{$_}++ }
		$makefile =~ /-I *(\S+)/g;

	return scalar `cd $dir/tree && ls $repo/src/*.c \\
		| xargs -n 20 -P 2 $cc -fsyntax-only $flags @includes 2>&1`;
}

###############################################################################
