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

sub state_of {
	my ($s) = @_;

	return json($s->{t}->get('/hooks/')->body())->{store}{state};
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

# nothing in the file may give way: what was sent has to make room there, and
# what waits in it comes back though nothing can be written

for my $full ('its size', 'a full disk') {
	subtest "the file has $full" => sub {
		plan skip_all => 'not root' if $full ne 'its size' && $> != 0;

		my $s = WebhookTest::Store->new(zone => '8m',
			store => $full eq 'its size' ? 'size=16m' : '');
		my ($t, $r) = @$s{qw/ t r /};

		if ($full ne 'its size') {
			mkdir $s->{dir};
			system("mount -t tmpfs -o size=20m none $s->{dir}") == 0
				or plan skip_all => 'no tmpfs';
		}

		$t->run();
		$s->did('hooks/ci/pause');

		# some 60 KB each, as fast as they can be written

		my $n = 0;

		for (1 .. 300) {
			$n++;
			$s->status("e$n", 'queued', launch => 1, size => 60000);
			$s->status("e$n", 'running', size => 60000);

			next if $n % 5;

			wait_for(sub {
				state_of($s) eq 'failing'
				|| $s->sql('SELECT count(*) FROM deliveries')
					== 2 * $n
			}, 20);

			last if state_of($s) eq 'failing';
		}

		is(state_of($s), 'failing', 'the file is full');

		# the zone's share is, too, in the end

		for (1 .. 200) {
			$n++;
			$s->status("e$n", 'queued', launch => 1, size => 60000);
			$s->status("e$n", 'running', size => 60000);

			last if $t->grep_log(qr/webhook_zone is full/);
		}

		ok($t->grep_log(qr/webhook_zone is full/), 'so is the zone');
		cmp_ok(spilled($s), '>', 100, 'many wait in it alone');

		my $waiting = webhook_of($s, 'ci')->{waiting};

		$s->did('hooks/ci/resume');

		if ($full ne 'its size') {
			ok($r->wait_requests(16, 30, '/ci') >= 16,
				'some arrive');
			is(system("mount -o remount,size=64m $s->{dir}"), 0,
				'room');
		}

		my @got = $r->wait_requests($waiting, 60, '/ci');
		is(@got, $waiting, 'all arrive');
		is($s->doubles(@got), '', 'no UUID twice');
		is($s->disorder(@got), '', 'in order');
		ok(wait_for { webhook_of($s, 'ci')->{delivered} == $waiting },
			'counted');
		is(webhook_of($s, 'ci')->{waiting}, 0, 'nothing waits');
		is(spilled($s), 0, 'nothing on disk alone');

		ok(wait_for(sub { state_of($s) eq 'ok' }, 30),
			'the store is well');
		ok($s->on_disk(waiting => 0), 'it knows');

		for my $table (qw/ payloads attempts texts /) {
			is($s->sql("SELECT count(*) FROM $table WHERE id NOT IN"
				. ' (SELECT id FROM deliveries)'), 0,
				"$table: of deliveries alone");
		}

		$s->status('last', 'queued', launch => 1);
		ok($r->wait_requests($waiting + 1, 10, '/ci'), 'it goes on');
		ok($s->rows(1, "execution = 'last' AND ended > 0"), 'on disk');

		if ($full ne 'its size') {
			$t->stop();
			system("umount $s->{dir}");
		}

		$s->done();
	};
}

# what waits for its second attempt, for long, keeps back nothing of that

subtest 'a full file, and a delivery that failed' => sub {
	my $s = WebhookTest::Store->new(zone => '1m', store => 'size=16m',
		hook => 'retry 1h;');
	my ($t, $r) = @$s{qw/ t r /};

	filled($s, 40);

	my $waiting = webhook_of($s, 'ci')->{waiting};

	$r->set('/ci' => [ { status => 503 }, { status => 204 } ]);
	$s->did('hooks/ci/resume');

	my @got = $r->wait_requests($waiting, 30, '/ci');
	is(@got, $waiting, 'all arrive');
	is($s->doubles(@got), '', 'no UUID twice');
	ok(wait_for { webhook_of($s, 'ci')->{waiting} == 1 }, 'one waits');
	is(spilled($s), 0, 'nothing on disk alone');

	$s->done();
};

# what is in the zone remains there when the store goes

subtest 'a full file that is configured no more' => sub {
	my $s = WebhookTest::Store->new(zone => '1m', store => 'size=16m');
	my ($t, $r) = @$s{qw/ t r /};

	filled($s, 40);

	my $here = webhook_of($s, 'ci')->{waiting} - spilled($s);

	$s->configure(store => 'none');
	ok($t->reload(), 'reload');
	$s->did('hooks/ci/resume');

	is($r->wait_requests($here, 10, '/ci'), $here, 'all of them arrive');

	$s->done();
};

# who takes the file away is told, and it is no longer counted as waiting

for my $what ('file', 'directory') {
	subtest "the $what is taken away" => sub {
		my $s = WebhookTest::Store->new(zone => '1m');
		my ($t, $r) = @$s{qw/ t r /};

		$t->allow(qr/was removed while it was in use/);
		$t->run();
		$s->did('hooks/ci/pause');

		for my $i (1 .. 40) {
			$s->status("e$i", 'queued', launch => 1, size => 15000);
			$s->on_disk(waiting => $i) if $i % 5 == 0;
		}

		my $alone = spilled($s);

		ok($alone, 'some wait on disk alone');

		if ($what eq 'file') {
			unlink glob "$s->{dir}/webhooks.db*";
			$s->status('e41', 'queued', launch => 1);

		} else {
			rename $s->{dir}, "$s->{dir}.old" or die "rename: $!\n";
			ok($t->reload(), 'reload') or diag($t->reload_error());
			$s->status('e41', 'queued', launch => 1);
		}

		ok($t->wait_log($what eq 'file'
			? qr/\[alert\].*that waited in it alone are not sent/
			: qr/\[error\].*\b$alone deliveries that waited in that/),
			'said');

		ok(wait_for { webhook_of($s, 'ci')->{waiting} == 41 - $alone },
			'they do not count') or diag(webhook_of($s, 'ci')->{waiting});
		cmp_ok(spilled($s), '<=', 1, 'on disk alone: what came last at most');
		ok($s->on_disk(waiting => 41 - $alone), 'the others are there');

		$s->did('hooks/ci/resume');
		is($r->wait_requests(41 - $alone), 41 - $alone, 'and arrive');
		ok($s->on_disk(waiting => 0), 'nothing waits');
		is($s->doubles($r->requests()), '', 'no UUID twice');

		$s->done();
	};
}

done_testing();

###############################################################################

# webhook ci is paused, n executions are in its queue, some in the file alone;
# the file is full, and what is held takes more of the zone than the share that
# is to be free

sub filled {
	my ($s, $n) = @_;

	my $t = $s->{t};

	$t->run();
	$s->did('hooks/ci/pause');

	for my $i (1 .. $n) {
		$s->status("e$i", 'queued', launch => 1, size => 15000);
		$s->on_disk(waiting => $i) if $i % 5 == 0;
	}

	ok(spilled($s), 'some wait on disk alone');

	$s->fill(4096);

	for (1 .. 60) {
		$s->status('e' . ++$n, 'queued', launch => 1, size => 15000);
		last if $t->grep_log(qr/webhook_zone is full/);
	}

	ok($t->grep_log(qr/webhook_zone is full/), 'the zone is full');
	ok(wait_for { $t->grep_log(qr/deliveries go out unstored/) },
		'so is the file');
}

###############################################################################
