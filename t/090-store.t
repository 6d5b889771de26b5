#!/usr/bin/perl

# The store: what has been accepted outlives every process, and is sent once;
# executions that are known stay known.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;
use WebhookTest::Faults;
use WebhookTest::Store;

###############################################################################

store_available() or plan skip_all => 'built without webhook_store';

for my $sync (qw/ full normal /) {
	subtest "sync=$sync" => sub {
		my $s = WebhookTest::Store->new(sync => $sync);
		my ($t, $up, $r) = @$s{qw/ t up r /};

		$r->set('*' => { status => 503 });
		$t->run();

		# launched and started; nobody takes it yet

		for my $i (1 .. 20) {
			$s->status("e$i", 'queued', launch => 1);
			$s->status("e$i", 'running');
		}

		ok($s->on_disk(waiting => 40), 'all are on disk')
			or diag($s->sql('SELECT sequence, event, ended, status,'
				. ' execution FROM deliveries'));
		ok(wait_for { $r->requests() > 0 }, 'tried');

		$t->crash();

		is($s->sql('PRAGMA integrity_check'), 'ok', 'the file is sound');

		# what was in flight may come to light only now

		ok(wait_for { $r->stats()->{open} == 0 }, 'connections end');
		$r->forget();
		$r->set('*' => { status => 204 });
		$t->run();

		my @got = $r->wait_requests(40, 30);
		is(@got, 40, 'all arrive after a crash');

		# what is known makes no event again

		$s->status("e$_", 'running') for 1 .. 20;
		$s->status('e1', 'done');

		ok($r->wait_requests(41), 'and what comes then');
		@got = $r->requests();

		is($s->doubles(@got), '', 'no UUID twice');
		is($s->disorder(@got), '', 'in order');
		is(scalar(grep { $_->json()->{event} eq 'FINISHED' } @got), 1,
			'one event of what is known');

		ok($s->on_disk(waiting => 0), 'nothing waits on disk');

		# and again: nothing comes

		$r->forget();
		$t->crash();
		$t->run();

		$s->status("e$_", 'running') for 2 .. 5;
		$s->status('last', 'queued', launch => 1);

		@got = $r->wait_requests(1);
		is($s->names(@got), 'last/LAUNCHED', 'nothing is sent again');

		$s->done();
	};
}

# a graceful exit, a stop

subtest 'exits' => sub {
	my $s = WebhookTest::Store->new();
	my ($t, $r) = @$s{qw/ t r /};

	$r->set('*' => { status => 503 });
	$t->run();

	for my $how (qw/ quit stop /) {
		$s->status("$how$_", 'queued', launch => 1) for 1 .. 5;
		$t->$how();

		ok($s->sql('SELECT count(*) FROM deliveries WHERE ended = 0')
			=~ /^(5|10)$/, "$how: all are on disk");

		$t->run();
	}

	$r->forget();
	$r->set('*' => { status => 204 });

	$s->status('x', 'queued', launch => 1);
	my @got = $r->wait_requests(11, 30);
	is($s->doubles(@got), '', 'no UUID twice');

	# a reload while much is going on

	for my $i (1 .. 5) {
		$s->status("r$i-$_", 'queued', launch => 1) for 1 .. 20;
		ok($t->reload(), 'reload');
	}

	ok($r->wait_requests(111, 30), 'all arrive');
	@got = $r->requests();
	is(@got, 111, 'each once');
	is($s->doubles(@got), '', 'no UUID twice');

	# the worker that writes is killed

	for my $i (1 .. 3) {
		my $holder = $s->holder();
		ok($holder, 'one worker writes');
		ok($s->on_disk(waiting => 0), 'nothing is under way');
		$t->kill_worker($holder, 'KILL');
		$s->status("k$i-$_", 'queued', launch => 1) for 1 .. 10;
		ok($r->wait_requests(111 + 10 * $i, 30), 'another goes on');
	}

	ok($s->on_disk(waiting => 0), 'nothing waits on disk');
	is($s->doubles($r->requests()), '', 'no UUID twice');

	is((stat $s->{dir})[2] & 0777, 0700, 'the directory is private');
	is((stat "$s->{dir}/webhooks.db")[2] & 0777, 0600, 'the file is');

	$s->done();
};

# an event that was made anew while its row was not known has two of them

subtest 'twins' => sub {
	my $s = WebhookTest::Store->new();
	my ($t, $r) = @$s{qw/ t r /};

	$r->set('*' => { status => 503 });
	$t->run();
	$s->status("e$_", 'queued', launch => 1) for 1 .. 5;
	ok($s->on_disk(waiting => 5), 'all wait');
	$t->crash();

	$s->sql('CREATE TEMP TABLE twins AS SELECT * FROM deliveries;'
		. ' UPDATE twins SET id = id + 1000, seq = seq + 1000;'
		. ' INSERT INTO deliveries SELECT * FROM twins;'
		. ' INSERT INTO payloads SELECT id + 1000, payload'
		. ' FROM payloads');
	is($s->sql('SELECT count(*), count(DISTINCT uuid) FROM deliveries'),
		'10|5', 'two rows each');

	ok(wait_for { $r->stats()->{open} == 0 }, 'connections end');
	$r->forget();
	$r->set('*' => { status => 204 });
	$t->run();

	ok($r->wait_requests(5, 20) && $s->on_disk(waiting => 0), 'sent');
	$s->status('last', 'queued', launch => 1);
	is($r->wait_requests(6), 6, 'each once');
	is($s->doubles($r->requests()), '', 'no UUID twice');

	$s->done();
};

# the writing thread offers its core within a commit, too, and in the log

subtest 'the core is offered' => sub {
	WebhookTest::Faults::available()
		or plan skip_all => 'neither under a sanitizer nor linked in';

	my $s = WebhookTest::Store->new();
	my $f = WebhookTest::Faults->new($s->{t});

	$s->{t}->run();
	$s->did('hooks/ci/pause');
	$s->status('a', 'queued', launch => 1);
	ok($s->on_disk(waiting => 1), 'works');
	ok(wait_for { -z "$s->{dir}/webhooks.db-wal" }, 'its log is empty');

	$f->arm(pid => $s->holder(), kinds => SYSCALL, only => 'sched_yield');
	$s->status('b', 'queued', launch => 1, size => 200000);
	ok($s->on_disk(waiting => 2), 'some fifty pages');

	cmp_ok($f->counted(), '>=', 5, 'offered now and then');

	$s->done();
};

done_testing();

###############################################################################
