#!/usr/bin/perl

# The zone and its queue, by a C program with a stand-in for nginx's lock and
# shared memory: rules, random operations against a model, a full zone, many
# processes, and processes that are killed.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;
use WebhookTest::Unit;

###############################################################################

plan skip_all => 'no headers of a build: make' unless can_compile();

program('zone/zone',
	map { "zone/$_" } qw/ nginx world rules pending watching random load
		kill /);

done_testing();

###############################################################################
