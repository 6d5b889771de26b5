#!/usr/bin/perl

# The sources keep to nginx's style, as far as lines can tell.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my @files = glob repo('src') . '/*.[ch]';

plan tests => @files + 1;

ok(scalar @files, 'there are sources');

for my $file (@files) {
	my ($name) = $file =~ m!([^/]+)$!;
	my $said = `@{[ repo('t/bin/style') ]} $file`;

	is($said, '', $name);
}

###############################################################################
