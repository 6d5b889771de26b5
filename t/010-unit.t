#!/usr/bin/perl

# The rooms that need no running nginx, each by a C program of its own in
# t/unit.

###############################################################################

use warnings;
use strict;

use File::Basename;
use Test::More;

use WebhookTest;
use WebhookTest::Unit;

###############################################################################

plan skip_all => 'no headers of a build: make' unless can_compile();

my @programs = map { basename($_, '.c') }
	grep { !m!/(unit|pool)\.c$! } sort glob repo('t/unit') . '/*.c';

plan tests => @programs + 1;

for my $name (@programs) {
	subtest $name => sub { program($name) };
}

# as where a CPU has none

subtest 'json without SSE2' => sub { program('json', '-U__SSE2__') };

###############################################################################
