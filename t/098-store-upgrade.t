#!/usr/bin/perl

# A binary upgrade (USR2, then QUIT), its way back, a reload: who has the
# store's lock lets go when what is in flight has ended, so that whoever comes
# next sends nothing twice; and loses nothing that the last responses announced.

###############################################################################

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ time /;

use WebhookTest;
use WebhookTest::Store;

###############################################################################

store_available() or plan skip_all => 'built without webhook_store';

# what waits goes on doing so, however long a test takes

my $retry = 'retry ' . '300ms ' x 29 . '1h;';

subtest 'in flight' => sub {
	my $s = WebhookTest::Store->new(daemon => 1);
	my ($t, $r) = @$s{qw/ t r /};

	my ($old, $n) = upgraded($s, 5);

	kill 'QUIT', $old->{master};
	ok(wait_for(sub { !listening($t, $old) }), 'old workers shut down');

	$s->status("b$_", 'queued', launch => 1) for 1 .. 5;
	ok(waiting($s, 10), 'new ones see what comes');

	# longer than a new worker needs to see that the lock is free

	my $until = time() + 1;
	wait_for { time() > $until };

	is($r->requests(), $n, 'and send nothing');

	$r->set('*' => { status => 204 });
	$r->release();

	is($r->wait_requests($n + 5), $n + 5, 'they do when the others are done');
	ok($s->on_disk(waiting => 0), 'nothing waits');
	ok(gone($t, $old), 'old workers end');
	is($s->doubles($r->requests()), '', 'no UUID twice');
	is($r->requests(), $n + 5, 'each once');

	$s->done();
};

# what both masters have seen is sent by the one that has the lock

subtest 'seen by both' => sub {
	my $s = WebhookTest::Store->new(daemon => 1);
	my ($t, $r) = @$s{qw/ t r /};

	$t->run();

	my %old = workers($t);

	ok($t->upgrade(), 'upgrade');

	my %new = workers($t);

	halt($t, @{ $new{workers} });
	$s->status("a$_", 'running') for 1 .. 5;
	is($r->wait_requests(5), 5, 'old workers see it');
	ok($s->on_disk(waiting => 0), 'and write it');

	$r->set('*' => { hold => 1 });
	$s->status("b$_", 'running') for 1 .. 5;
	is($r->wait_requests(10), 10, 'in flight');

	kill 'CONT', @{ $new{workers} };
	halt($t, @{ $old{workers} });
	$s->status("a$_", 'running') for 1 .. 5;
	$s->status("b$_", 'running') for 1 .. 5;
	$s->status("c$_", 'running') for 1 .. 5;
	ok(waiting($s, 15), 'new ones, too');

	kill 'CONT', @{ $old{workers} };
	kill 'QUIT', $old{master};
	ok(wait_for(sub { !listening($t, \%old) }), 'old workers shut down');

	$r->set('*' => { status => 204 });
	$r->release();
	ok(gone($t, \%old), 'old workers end');

	is($r->wait_requests(15), 15, 'all arrive');
	ok($s->on_disk(waiting => 0), 'nothing waits');
	is($s->doubles($r->requests()), '', 'no UUID twice');
	is($s->sql('SELECT count(*), count(DISTINCT uuid) FROM deliveries'
		. ' WHERE length(execution) > 0'), '15|15', 'nor in the store');

	$s->done();
};

# what only one of two masters has seen begin is no history for the other

subtest 'begun with one, ended with the other' => sub {
	my ($s, $old, $new) = begun();
	my ($t, $r) = @$s{qw/ t r /};

	# with the same answer again: one that shows nothing new

	kill 'CONT', @{ $new->{workers} };
	halt($t, @{ $old->{workers} });
	$s->status('a', 'done') for 1 .. 5;

	kill 'CONT', @{ $old->{workers} };
	kill 'QUIT', $old->{master};
	ok(gone($t, $old), 'new ones see it end, and old ones go');

	ok(wait_for(sub {
		$s->status('a', 'done');
		$r->requests() >= 3
	}), 'the next poll makes up for it');

	is($s->names($r->requests()), 'a/LAUNCHED a/STARTED a/FINISHED',
		'by all that is missing');
	is($s->doubles($r->requests()), '', 'no UUID twice');

	$s->done();
};

# nor when the other one goes first, and writes what it takes for history

subtest 'begun with one, ended with another that goes' => sub {
	my ($s, $old, $new) = begun();
	my ($t, $r) = @$s{qw/ t r /};

	kill 'CONT', @{ $new->{workers} };
	halt($t, @{ $old->{workers} });
	$s->status('a', 'done');

	kill 'CONT', @{ $old->{workers} };
	kill 'QUIT', $new->{master};
	ok(gone($t, $new), 'new ones see it end, and go');
	is($s->sql('SELECT count(*) FROM states'), 2, 'both have written it');

	ok(wait_for(sub { ($t->master_pid() || 0) == $old->{master} }), 'and back');
	$t->crash();
	$t->run();

	ok(wait_for(sub {
		$s->status('a', 'done');
		$r->requests() >= 3
	}), 'the next poll makes up for it');

	is($s->names($r->requests()), 'a/LAUNCHED a/STARTED a/FINISHED',
		'by all that is missing');
	is($s->doubles($r->requests()), '', 'no UUID twice');

	$s->done();
};

# what worker_shutdown_timeout cuts off is made again

subtest 'worker_shutdown_timeout' => sub {
	my $s = WebhookTest::Store->new(daemon => 1,
		main => 'worker_shutdown_timeout 500ms;');
	my ($t, $r) = @$s{qw/ t r /};

	my ($old, $n) = upgraded($s, 5);

	# only what is in flight stays unanswered, whoever sends the rest

	$r->set('*' => { status => 204 });
	kill 'QUIT', $old->{master};
	$s->status("b$_", 'queued', launch => 1) for 1 .. 5;

	ok(gone($t, $old), 'old workers end in time');

	ok($s->on_disk(waiting => 0), 'all are sent');

	is($r->requests(), 2 * $n + 5, 'twice what was cut off');
	is($r->release(), $n, 'which nobody had answered');

	$s->done();
};

# a response that an old worker is still passing on

subtest 'the last responses' => sub {
	my $s = WebhookTest::Store->new(daemon => 1, workers => 3);
	my ($t, $r, $up) = @$s{qw/ t r up /};

	for my $how (qw/ upgrade size /) {
		$r->forget();
		$t->run() if $how eq 'upgrade';

		my %old = workers($t);

		$up->set('/jobs' => { hold => 1 });
		my @c = map { ask($t) } 1 .. 9;
		ok(wait_for(sub { $up->stats()->{held} == 9 }), "$how: asked");

		if ($how eq 'upgrade') {
			ok($t->upgrade(), "$how: done");
			kill 'QUIT', $old{master};

		} else {
			$s->configure(zone => '4m');
			ok($t->reload(), "$how: done");
		}

		ok(wait_for(sub { !listening($t, \%old) }),
			"$how: old workers shut down");

		for my $i (1 .. 9) {
			$up->release(1, status => 200,
				json => { id => "$how$i", status => 'queued' });
		}

		is(grep({ $_->() } @c), 9, "$how: answered");
		is($r->wait_requests(9), 9, "$how: all arrive");
		ok($s->on_disk(waiting => 0), "$how: nothing waits");
		is($s->doubles($r->requests()), '', "$how: no UUID twice");
	}

	$s->done();
};

# the master that has the lock is told of what others have seen

subtest 'handed over' => sub {
	my $s = WebhookTest::Store->new(daemon => 1, workers => 3,
		hook => 'timeout 1s;');
	my ($t, $r, $up) = @$s{qw/ t r up /};

	$t->run();

	my %old = workers($t);

	ok($t->upgrade(), 'upgrade');

	my %new = workers($t);

	halt($t, @{ $old{workers} });
	$s->status("a$_", 'queued', launch => 1) for 1 .. 20;
	ok(waiting($s, 20), 'new workers see something');
	kill 'CONT', @{ $old{workers} };

	kill 'QUIT', $new{master};
	ok(gone($t, \%new), 'and end');

	is($r->wait_requests(20), 20, 'old ones send it');
	ok($s->on_disk(waiting => 0), 'nothing waits');
	$s->status("a$_", 'queued') for 1 .. 20;
	$s->status('b', 'queued', launch => 1);
	is($r->wait_requests(21), 21, 'and what comes then');

	# the other way, by a response that comes when nobody waits any more

	$up->set('/jobs' => { hold => 1 });
	my @c = map { ask($t) } 1 .. 9;
	ok(wait_for(sub { $up->stats()->{held} == 9 }), 'asked');

	ok($t->upgrade(), 'upgrade');
	kill 'QUIT', $old{master};
	ok(wait_for(sub { !grep { $s->locked($_) } @{ $old{workers} } }),
		'the lock is free');

	for my $i (1 .. 9) {
		$up->release(1, status => 200,
			json => { id => "c$i", status => 'queued' });
	}

	is(grep({ $_->() } @c), 9, 'answered');
	ok(gone($t, \%old), 'old workers end');

	is($r->wait_requests(30), 30, 'new ones send it');
	ok($s->on_disk(waiting => 0), 'nothing waits');
	is($s->doubles($r->requests()), '', 'no UUID twice');
	is($s->sql('SELECT count(*) FROM states'), 30, 'all is known');

	$s->done();
};

# in a file that has its size, what ended gives way for that, too

subtest 'handed over into a full file' => sub {
	my $s = WebhookTest::Store->new(daemon => 1, workers => 1,
		store => 'size=16m');
	my ($t, $r) = @$s{qw/ t r /};

	$t->run();
	$s->ended(5, size => 200000);
	$s->fill(4096);

	my %old = workers($t);

	ok($t->upgrade(), 'upgrade');

	my %new = workers($t);

	halt($t, @{ $old{workers} });
	$s->status("a$_", 'queued', launch => 1, size => 50000) for 1 .. 5;
	ok(waiting($s, 5), 'a new worker sees something');
	kill 'CONT', @{ $old{workers} };

	kill 'QUIT', $new{master};
	ok(gone($t, \%new), 'and ends');

	is($r->wait_requests(10), 10, 'the old one sends it');
	ok($s->on_disk(waiting => 0), 'nothing waits');

	$s->done();
};

# five deliveries of before a reload

sub in_flight {
	my $s = WebhookTest::Store->new();
	my ($t, $r) = @$s{qw/ t r /};

	$t->run();
	$r->set('*' => { hold => 1 });
	$s->status("a$_", 'queued', launch => 1) for 1 .. 5;
	is($r->wait_requests(5), 5, 'in flight');

	return $s;
}

# with another size of the zone none of the new workers knows what is in flight

subtest 'another size' => sub {
	my $s = in_flight();
	my ($t, $r) = @$s{qw/ t r /};

	$s->configure(zone => '4m');
	ok($t->reload(), 'reload');

	$s->status("b$_", 'queued', launch => 1) for 1 .. 5;
	ok(waiting($s, 10), 'new workers see what comes');

	$r->set('*' => { status => 204 });
	$r->release();

	is($r->wait_requests(10), 10, 'all arrive');
	ok($s->on_disk(waiting => 0), 'nothing waits');
	is($s->doubles($r->requests()), '', 'no UUID twice');

	$s->done();
};

# nor that what waited is due, for somebody has said so since, or for its new
# url, when another has the file

for my $why ('resumed', 'another url') {
	subtest "another size, $why" => sub {
		my $s = WebhookTest::Store->new(
			hooks => 'webhook x { url %%URL_ci%%/x; retry 1h; }');
		my ($t, $r) = @$s{qw/ t r /};

		$t->run();
		$r->set('/ci' => { hold => 1 }, '/x' => { status => 500 });
		$s->status("a$_", 'queued', launch => 1) for 1 .. 3;
		is($r->wait_requests(6), 6, 'in flight, tried');
		ok($s->rows(3, 'tries = 1'), 'on disk');

		my $path = ($why eq 'resumed') ? '/x' : '/y';
		$s->configure(zone => '4m',
			hooks => "webhook x { url %%URL_ci%%$path; retry 1h; }");
		ok($t->reload(), 'reload');

		$s->did('hooks/x/resume') if $why eq 'resumed';
		$r->forget();
		$r->set('*' => { status => 204 });
		$r->release();

		is($r->wait_requests(3, undef, $path), 3, 'all arrive');
		ok($s->on_disk(waiting => 0), 'nothing waits');
		is($s->doubles($r->requests()), '', 'no UUID twice');

		$s->done();
	};
}

# with the same zone they do

subtest 'the same zone' => sub {
	my $s = in_flight();
	my ($t, $r) = @$s{qw/ t r /};

	$r->set('*' => { status => 204 });
	ok($t->reload(), 'reload');

	$s->status("b$_", 'queued', launch => 1) for 1 .. 5;
	is($r->wait_requests(10), 10, 'new workers send at once');
	is($r->release(), 5, 'while old ones wait');

	ok($s->on_disk(waiting => 0), 'nothing waits');
	is($s->doubles($r->requests()), '', 'no UUID twice');

	$s->done();
};

# the way back: what the old master knew of the file is no longer so

subtest 'and back' => sub {
	my $s = WebhookTest::Store->new(daemon => 1, hook => $retry);
	my ($t, $r) = @$s{qw/ t r /};

	$r->set('*' => { status => 503 });
	$t->run();
	$s->status("a$_", 'queued', launch => 1) for 1 .. 10;
	ok($s->on_disk(waiting => 10), 'all wait');

	my %old = workers($t);

	ok($t->upgrade(), 'upgrade');
	kill 'WINCH', $old{master};
	ok(gone($t, { workers => $old{workers} }), 'old workers end');

	$r->forget();
	$r->set('*' => { status => 204 });
	$s->status("b$_", 'queued', launch => 1) for 1 .. 10;

	is(resumed($s, 20), 20, 'the new ones send');
	ok($s->on_disk(waiting => 0), 'all of it');

	my %new = workers($t);

	kill 'HUP', $old{master};
	ok(wait_for(sub { $t->all_workers() == 4 }), 'the old master starts');
	kill 'QUIT', $new{master};
	ok(gone($t, \%new), 'the new one ends');

	$s->status("c$_", 'queued', launch => 1) for 1 .. 10;
	is(resumed($s, 30), 30, 'the old one sends');
	ok($s->on_disk(waiting => 0), 'all of it');
	is($s->doubles($r->requests()), '', 'no UUID twice');
	is($r->requests(), 30, 'each once');

	$s->done();
};

# another directory is given all that is in the zone

subtest 'another directory' => sub {
	my $s = WebhookTest::Store->new(hook => $retry);
	my ($t, $r) = @$s{qw/ t r /};

	$r->set('*' => { status => 503 });
	$t->run();
	$s->status("a$_", 'queued', launch => 1) for 1 .. 10;
	ok($s->on_disk(waiting => 10), 'all wait');

	$s->configure(dir => "$s->{dir}2");
	ok($t->reload(), 'reload');
	ok($s->on_disk(waiting => 10), 'they do in another file');

	$t->crash();
	ok(wait_for(sub { $r->stats()->{open} == 0 }), 'connections end');
	$r->forget();
	$r->set('*' => { status => 204 });
	$t->run();

	$s->status('a1', 'queued');
	$s->status("b$_", 'queued', launch => 1) for 1 .. 10;

	is(resumed($s, 20), 20, 'and are sent');
	ok($s->on_disk(waiting => 0), 'nothing waits');
	is($s->doubles($r->requests()), '', 'no UUID twice');

	$s->done();
};

# the old workers hear of attempts that end, and have a file, too

subtest 'another directory, among attempts' => sub {
	my $s = WebhookTest::Store->new(hook => $retry,
		hooks => 'webhook ok { url %%URL_ci%%/ok; events PING; }');
	my ($t, $r) = @$s{qw/ t r /};

	$r->set("/ok" => { status => 204 });
	$r->set('*' => { status => 503 });
	$t->run();

	my $pid = fork();
	die "fork: $!\n" unless defined $pid;

	if ($pid == 0) {
		eval { $s->did('hooks/ok/ping') } while 1;
	}

	for my $n (map { 10 * $_ } 1 .. 6) {
		$s->status("$n.$_", 'queued', launch => 1) for 1 .. 10;
		ok($s->rows($n, q{event = 1 AND ended = 0}), "$n wait");

		$s->configure(dir => "$s->{dir}+");
		ok($t->reload(), 'reload') or diag($t->reload_error());
		ok($s->rows($n, q{event = 1 AND ended = 0}),
			'all are in the other file');
	}

	kill 'KILL', $pid;
	waitpid $pid, 0;

	$s->done();
};

# its code is unloaded, the libraries may stay

subtest 'the module leaves the configuration, and comes back' => sub {
	my $s = WebhookTest::Store->new();
	my ($t, $r) = @$s{qw/ t r /};
	my $modules = $t->{modules};

	plan skip_all => 'linked in' unless @$modules;

	$r->set('*' => { status => 503 });
	$t->run();

	$s->status('e1', 'queued', launch => 1);
	ok($s->on_disk(waiting => 1), 'one waits');

	$t->{modules} = [];
	$t->http_config("server { listen 127.0.0.1:%%PORT_0%%; return 204; }");

	ok($t->reload(), 'without it') or diag($t->reload_error());
	is($t->get('/')->status(), 204, 'nginx goes on');

	$r->set('*' => { status => 204 });
	$r->forget();

	$t->{modules} = $modules;
	$s->configure();

	ok($t->reload(), 'with it again') or diag($t->reload_error());
	is(scalar($r->wait_requests(1)), 1, 'what waited is sent');
	ok($s->on_disk(waiting => 0), 'and no longer waits');

	$s->done();
};

###############################################################################

# the one that has the lock is killed: it is free, but those are left who know
# what is in flight, though another master's workers are the first to try

subtest 'free for a moment' => sub {
	my ($s, $other, @rest) = left_alone('timeout 1m;');
	my ($r, $to) = ($s->{r}, $other->{r});

	# longer than a new worker needs to see that the lock is free

	my $until = time() + 1;
	wait_for { time() > $until };

	is($to->requests(), 0, 'the other master sends nothing');

	kill 'CONT', @rest, $s->{t}->master_pid();
	ok($s->on_disk(waiting => 0), 'those who are left end it');
	is($to->requests(), 0, 'and the other has nothing to do');

	ok($s->{t}->stop(), 'until it ends');

	is($s->names($to->wait_requests(1)), 'b1/LAUNCHED', 'then the other does');
	ok($other->on_disk(waiting => 0), 'nothing waits');
	is($to->requests(), 1, 'and nothing else');

	$other->{t}->done(more => 1);
	$s->done();
};

# but not for ever

subtest 'free, and nobody there' => sub {
	my ($s, $other) = left_alone('timeout 2s;');

	is($other->{r}->wait_requests(6, 20), 6, 'the other master sends all');

	kill 'CONT', $s->{t}->master_pid();
	$other->{t}->done(more => 1);
	$s->done();
};

done_testing();

###############################################################################

# two masters with one store; of the first, who wrote is dead with five in
# flight, or another is frozen with their answers

sub left_alone {
	my ($hook) = @_;

	my $s = WebhookTest::Store->new(daemon => 1, hook => $hook);
	my ($t, $r) = @$s{qw/ t r /};

	$t->allow(qr/exited on signal 9/);
	$t->run();

	my $holder = $s->holder();
	my @rest = grep { $_ != $holder } $t->worker_pids();

	$r->set('*' => { hold => 1 });
	$s->status("a$_", 'queued', launch => 1) for 1 .. 5;
	is($r->wait_requests(5), 5, 'in flight');
	ok($s->on_disk(waiting => 5), 'and written');

	halt($t, $t->master_pid(), @rest);
	kill 'KILL', $holder;
	ok(wait_for { !$s->locked($holder) }, 'the lock is free');

	$r->set('*' => { status => 204 });
	$r->release();

	my $other = WebhookTest::Store->new(daemon => 1, hook => $hook);

	$other->{dir} = $s->{dir};
	$other->configure();
	$other->{t}->run();

	$other->status('b1', 'queued', launch => 1);
	ok(waiting($other, 6), 'another master sees what waits');

	return ($s, $other, @rest);
}

# both masters live, the old one has n attempts in flight: what is its, and how
# many there are

sub upgraded {
	my ($s, $n) = @_;

	my ($t, $r) = @$s{qw/ t r /};

	$r->set('*' => { hold => 1 });
	$t->run();

	$s->status("a$_", 'queued', launch => 1) for 1 .. $n;
	is($r->wait_requests($n), $n, 'in flight');

	my %old = workers($t);

	ok($t->upgrade(), 'upgrade');

	return (\%old, $n);
}

# new workers of an upgrade that stand still, and what the old ones saw launched

sub begun {
	my $s = WebhookTest::Store->new(daemon => 1);
	my ($t, $r) = @$s{qw/ t r /};

	$t->run();

	my %old = workers($t);

	ok($t->upgrade(), 'upgrade');

	my %new = workers($t);

	halt($t, @{ $new{workers} });
	$s->status('a', 'queued', launch => 1);
	is($r->wait_requests(1), 1, 'old workers see it launched');
	ok($s->on_disk(waiting => 0), 'and write it');

	return ($s, \%old, \%new);
}

sub halt {
	my ($t, @pids) = @_;

	kill 'STOP', @pids;
	wait_for { !grep { !$t->stopped($_) } @pids };
}

sub workers {
	my ($t) = @_;

	return (master => $t->master_pid(), workers => [ $t->worker_pids() ]);
}

sub listening {
	my ($t, $which) = @_;

	return grep { read_file("/proc/$_/cmdline") =~ /^nginx: worker process(?! is)/ }
		@{ $which->{workers} };
}

sub gone {
	my ($t, $which) = @_;

	return wait_for {
		!grep { $_ && $t->alive($_) } $which->{master},
			@{ $which->{workers} };
	} 20;
}

sub waiting {
	my ($s, $n) = @_;

	return wait_for {
		my ($h) = @{ $s->got('hooks')->json()->{hooks} };
		return $h->{waiting} == $n;
	};
}

# n requests, whatever the webhook was thought of

sub resumed {
	my ($s, $n) = @_;

	wait_for {
		$s->did('hooks/ci/resume');
		$s->{r}->requests() >= $n
	} 20;

	return scalar $s->{r}->requests();
}

# a launch without waiting for the answer

sub ask {
	my ($t) = @_;

	my $c = $t->connect();

	$c->send_request('POST', '/jobs', body => '{}', close => 1);

	return sub {
		my $r = $c->read_response();

		# nginx waits for that

		$c->close();

		return $r && $r->status() == 200;
	};
}

###############################################################################
