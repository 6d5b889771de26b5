#!/usr/bin/perl

# The sources keep to nginx's style, as far as lines can tell.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

chdir repo('src') or die "src: $!\n";

my @files = glob '*.[ch]';

plan tests => @files + 1;

ok(scalar @files, 'there are sources');

for my $file (@files) {
	my $said = `@{[ repo('t/bin/style') ]} $file`;

	is($said, '', $file);
}

###############################################################################
