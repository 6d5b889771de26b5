#!/usr/bin/perl

# The zone beside its store, by a C program with stand-ins for nginx's shared
# memory and for the file: what is not yet written and what is in the store
# alone, when the process that sees to it is killed.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;
use WebhookTest::Unit;

###############################################################################

plan skip_all => 'no headers of a build: make' unless can_compile();

program('zone/store',
	map { "zone/$_" } qw/ nginx world file store_kill store_step store_churn /);

done_testing();

###############################################################################
