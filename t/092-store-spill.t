#!/usr/bin/perl

# More deliveries than the zone holds: those beyond its share wait on disk, and
# come when there is room, in the order of their executions, each once.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;
use WebhookTest::Store;

###############################################################################

store_available() or plan skip_all => 'built without webhook_store';

my $n = 150;

sub webhook_of {
	my ($s, $name) = @_;

	my ($hook) = grep { $_->{name} eq $name }
		@{ json($s->{t}->get('/hooks/')->body())->{hooks} };

	return $hook;
}

sub spilled {
	my ($s) = @_;

	return json($s->{t}->get('/hooks/')->body())->{store}{spilled};
}

for my $restart (0, 1) {
	subtest $restart ? 'with a crash' : 'without' => sub {
		my $s = WebhookTest::Store->new(zone => '1m',
			hooks => 'webhook well { url %%URL_ci%%/well; }');
		my ($t, $r) = @$s{qw/ t r /};

		$r->set('/ci' => { status => 503 });
		$t->run();

		# some 5 KB each

		for my $i (1 .. $n) {
			$s->status("e$i", 'queued', launch => 1, size => 5000);
			$s->status("e$i", 'running', size => 5000);

			# the zone has room for what comes between two commits

			$s->on_disk(waiting => 2 * $i) if $i % 5 == 0;
		}

		ok($s->on_disk(waiting => 2 * $n), 'all wait');
		ok(spilled($s), 'some on disk alone') and note(spilled($s));

		my $ci = webhook_of($s, 'ci');
		is($ci->{waiting} + $ci->{in_flight}, 2 * $n, 'counted');
		is($ci->{dropped}, 0, 'none is dropped');

		ok($r->wait_requests(2 * $n, 10, '/well'),
			'the other webhook does not mind');

		if ($restart) {
			$t->crash();
			ok(wait_for { $r->stats()->{open} == 0 },
				'connections end');
			$r->forget();
			$r->set('/ci' => { status => 204 });
			$t->run();

		} else {
			$r->forget();
			$r->set('/ci' => { status => 204 });
		}

		# more comes while they flow back

		for (1 .. 50) {
			$s->status("e$_", 'done', size => 5000);
			$r->wait_requests($_, 20, '/well');
		}

		my @got = $r->wait_requests(2 * $n + 50, 60, '/ci');
		is(@got, 2 * $n + 50, 'all arrive');
		is($s->doubles(@got), '', 'no UUID twice');
		is($s->disorder(@got), '', 'in order');
		ok($s->on_disk(waiting => 0), 'nothing waits');
		is(spilled($s), 0, 'nothing on disk alone');

		$s->done();
	};
}

done_testing();

###############################################################################
