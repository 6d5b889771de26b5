#!/usr/bin/perl

# The wall clock is set, while nginx runs and while it does not: what waits goes
# on as it would have, nothing is given up for it, and what is known counts.  And
# what needs hours: a webhook that fails for long.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;
use WebhookTest::Clock;
use WebhookTest::Store;

###############################################################################

plan skip_all => 'no library is preloaded here'
	unless WebhookTest::Clock::available();

my $hour = 3600;
my $day = 24 * $hour;

# beside one that fails, one that is told to wait, and one that is given up

my $hooks = <<'EOF';
        webhook held { url %%URL_ci%%/held; }
        webhook old { url %%URL_ci%%/old; retry 1h; expire 3s; }
EOF

sub behave {
	my ($r) = @_;

	$r->set(
		'/ci' => [ { status => 500 }, { status => 204 } ],
		'/held' => [ { status => 503, headers => { 'Retry-After' => 3 } },
			{ status => 204 } ],
		'/old' => { status => 500 },
	);
}

sub hook {
	my ($s, $name) = @_;

	return json($s->got("hooks/$name")->body());
}

sub tried {
	my ($s, $n, @names) = @_;

	return wait_for {
		@names == grep { $_->{attempts} == $n && $_->{in_flight} == 0 }
			map { hook($s, $_) } @names
	};
}

# whatever the clock was

sub sane {
	my ($s) = @_;

	my $metrics = $s->got('metrics')->body();

	unlike($metrics, qr/ -\d|\d{12}\.|\d{14}$/m, 'no metric is out of bounds')
		or diag($metrics);

	my ($latency) = $metrics
		=~ /latency_seconds_sum\{webhook="ci"\} ([\d.]+)/;
	cmp_ok($latency, '<', 60, 'no latency is');
}

sub timely {
	my ($c, $q) = @_;

	cmp_ok(abs($q->header('webhook-timestamp') - $c->now()), '<', 30,
		'an attempt has the time that it is');
}

# while nginx runs

subtest 'set back' => sub {
	my $s = WebhookTest::Store->new(store => 'none', hook => 'retry 3s;',
		hooks => $hooks);
	my ($t, $r) = @$s{qw/ t r /};
	my $c = WebhookTest::Clock->new($t);

	behave($r);
	$t->run();
	$s->status('e1', 'queued', launch => 1);
	ok(tried($s, 1, qw/ ci held old /), 'tried');

	$c->set(-2 * $hour);

	is($r->wait_requests(2, 10, '/ci'), 2, 'the next attempt is made');
	is($r->wait_requests(2, 10, '/held'), 2, 'Retry-After ends');
	ok(wait_for { hook($s, 'old')->{expired} == 1 }, 'so does "expire"')
		or diag(explain(hook($s, 'old')));

	timely($c, ($r->requests('/ci'))[1]);
	sane($s);
	$s->done();
};

subtest 'set forward' => sub {
	my $s = WebhookTest::Store->new(store => 'none',
		hook => 'retry 1s 1s; expire 1h;');
	my ($t, $r) = @$s{qw/ t r /};
	my $c = WebhookTest::Clock->new($t);

	$r->set('/ci' => [ { status => 500 }, { status => 500 },
		{ status => 204 } ]);
	$t->run();
	$s->status('e1', 'queued', launch => 1);
	ok(tried($s, 1, 'ci'), 'tried');

	$c->set(6 * $day);

	is($r->wait_requests(3, 10), 3, 'nothing is given up');
	ok(tried($s, 3, 'ci'), 'delivered');
	is(hook($s, 'ci')->{state}, 'ok', 'no webhook is disabled');

	timely($c, ($r->requests())[2]);
	sane($s);

	# what is shown of times that come is no longer so

	my $known = sub { $t->get('/hooks/hooks', headers =>
		[ 'If-None-Match' => $_[0] ]) };
	my $tag = $s->got('hooks')->header('ETag');

	is($known->($tag)->status(), 304, 'nothing has changed');
	$c->set(6 * $day + $hour);
	ok(wait_for { $known->($tag)->status() == 200 }, 'but the clock');
	$s->done();
};

# time that has passed

subtest 'disable_after' => sub {
	my $s = WebhookTest::Store->new(store => 'none',
		hook => 'retry 1h 1h 1h; disable_after 1d;');
	my ($t, $r) = @$s{qw/ t r /};
	my $c = WebhookTest::Clock->new($t);

	$r->set('/ci' => { status => 500 });
	$t->run();
	$s->status('e1', 'queued', launch => 1);
	ok(tried($s, 1, 'ci'), 'tried');

	$c->pass(23 * $hour);
	ok(tried($s, 2, 'ci'), 'tried again');
	is(hook($s, 'ci')->{state}, 'ok', 'not long enough');

	$c->pass(2 * $hour);
	ok(tried($s, 3, 'ci'), 'and once more');
	is(hook($s, 'ci')->{state}, 'failing', 'disabled');
	ok($t->wait_log(qr/\[error\].* webhook "ci" is disabled: it has failed /
		. qr/for 25 h \("disable_after"\), the last time by 500$/),
		'the error log says so');

	$s->done();
};

# a request that is under way meanwhile is none from before what is known

for my $step (2 * $hour, 5, -2 * $hour) {
	subtest "under way: $step s" => sub {
		my $s = WebhookTest::Store->new(workers => 1, store => 'none');
		my ($t, $up, $r) = @$s{qw/ t up r /};
		my $c = WebhookTest::Clock->new($t);

		$t->run();
		$s->status('e1', 'queued', launch => 1);
		$s->status('e1', 'running');
		$s->status('e1', 'done');

		# the same id is launched again

		$up->forget();
		$up->set('/jobs' => { status => 200, hold => 1,
			json => { id => 'e1', status => 'queued' } });

		my $client = $t->connect();
		$client->send_request('POST', '/jobs', body => '{}');
		ok($up->wait_requests(1), 'sent');

		$c->set($step);
		$up->release(1);
		$client->read_response();
		$client->close();

		is($s->names($r->wait_requests(4)), 'e1/LAUNCHED e1/STARTED'
			. ' e1/FINISHED e1/LAUNCHED', 'its answer counts');

		$s->status('e1', 'done');
		is($s->names(($r->wait_requests(6))[4, 5]),
			'e1/STARTED e1/FINISHED', 'and the next one');

		$s->done();
	};
}

# an answer that a cache got in what is the future now

subtest 'cache' => sub {
	my $s = WebhookTest::Store->new(store => 'none', http => <<'HTTP',
proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;

webhook_api cached {
    id      /id;
    state   /status;
    states  FINISHED done;

    route POST /cached { rerun; state /none; }
    route GET /cached/* { }
}
HTTP
		server => <<'SERVER');
    location /cached {
        proxy_cache cache;
        proxy_cache_valid 1h;
        webhook_observe cached;
        proxy_pass %%URL_up%%;
        webhook ci { url %%URL_ci%%/ci; }
    }
SERVER
	my ($t, $up, $r) = @$s{qw/ t up r /};
	my $c = WebhookTest::Clock->new($t);

	my ($running, $done) = map {
		{ status => 200, json => { id => 'c1', status => $_ } }
	} qw/ running done /;

	$up->set('/cached' => { status => 200, json => { id => 'c1' } },
		'/cached/c1' => [ $running, $done, $running ]);

	$t->run();
	$t->see('GET', '/cached/c1?1');
	$t->see('GET', '/cached/c1?2');
	$c->set(-$hour / 2);
	$t->see('POST', '/cached', body => '{}');
	$t->see('GET', '/cached/c1?2');
	$t->see('GET', '/cached/c1?3');

	is($s->names($r->wait_requests(4)), 'c1/STARTED c1/FINISHED c1/LAUNCHED'
		. ' c1/STARTED', 'it is none about the run that began later');
	is($up->requests('/cached/c1'), 3, 'and was in the cache');

	$s->done();
};

# while nginx does not run

# a webhook that is removed, with what waits for it

for my $store (store_available() ? ('none', '') : 'none') {
	subtest 'removed, ' . ($store ? 'no store' : 'a store') => sub {
		my $s = WebhookTest::Store->new(store => $store,
			hooks => 'webhook left { url %%URL_ci%%/left; retry 100h; }');
		my ($t, $r) = @$s{qw/ t r /};
		my $c = WebhookTest::Clock->new($t);

		$r->set('/left' => { status => 500 });
		$t->run();
		$s->status("e$_", 'queued', launch => 1) for 1 .. 3;
		ok(wait_for { hook($s, 'left')->{attempts} == 3 }, 'tried');

		$s->configure(hooks => '');
		ok($t->reload(), 'removed');
		ok($t->wait_log(qr/\[warn\].* webhook "left" is not configured any /
			. qr/more: 3 deliveries wait, for 24 h, in case that it comes /
			. qr/back$/), 'it is said');

		ok($t->reload(), 'reload');
		is(scalar $t->grep_log(qr/ is not configured any more/), 1, 'once');

		$c->pass(23 * $hour);
		$s->status('e1', 'running');
		ok($r->wait_request(sub { $s->names($_[0]) eq 'e1/STARTED' }),
			'a day');
		is(scalar $t->grep_log(qr/given up/), 0, 'they wait');

		$c->pass(2 * $hour);
		ok($t->wait_log(qr/\[error\].* webhook "left" has not been /
			. qr/configured for 24 h: 3 deliveries that waited for it are /
			. qr/given up$/), 'and are given up');
		like($s->got('metrics')->body(),
			qr/^nginx_webhook_removed_deliveries_waiting 0$/m, 'none waits');

		$s->done();
	};
}

if (store_available()) {
	for my $ahead (2 * $hour, 3650 * $day) {
		subtest "set back by $ahead s" => sub {
			my $s = WebhookTest::Store->new(hook => 'retry 3s;',
				hooks => $hooks);
			my ($t, $r) = @$s{qw/ t r /};
			my $c = WebhookTest::Clock->new($t);

			behave($r);
			$c->set($ahead);
			$t->run();
			$s->status('e1', 'queued', launch => 1);
			ok(tried($s, 1, qw/ ci held old /), 'tried');
			ok($s->rows(3, 'tries = 1'), 'all is on disk');

			$t->stop();
			$c->set(0);
			$t->run();

			$s->status('e2', 'queued', launch => 1);
			is($r->wait_requests(3, 10, '/ci'), 3, 'the next attempt is made');
			is($r->wait_requests(3, 10, '/held'), 3, 'Retry-After ends');
			ok(wait_for { hook($s, 'old')->{expired} == 2 },
				'what waits for too long expires')
				or diag(explain(hook($s, 'old')));

			# what was applied is not in the future

			$s->status('e1', 'running');
			$s->status('e1', 'done');

			is($r->wait_requests(5, 10, '/ci'), 5, 'later answers count');
			is($s->names(($r->requests('/ci'))[3, 4]),
				'e1/STARTED e1/FINISHED', 'and are told');

			sane($s);
			$s->done();
		};
	}

	subtest 'watch' => sub {
		my $s = WebhookTest::Store->new(http => <<'HTTP', server => <<'SERVER');
webhook_api watched {
    id      /id;
    state   /status;
    states  LAUNCHED queued;
    states  FINISHED done;
    watch   /watched/$webhook_execution every=1s for=4s;

    route POST /watched { launch; }
    route GET /watched/* { }
}
HTTP
    location /watched {
        webhook_observe watched;
        proxy_pass %%URL_up%%;
        webhook ci { url %%URL_ci%%/ci; }
    }
SERVER
		my ($t, $up) = @$s{qw/ t up /};
		my $c = WebhookTest::Clock->new($t);
		my $doc = { id => 'w1', status => 'queued' };

		$up->set('/watched' => { status => 200, json => $doc },
			'/watched/w1' => { status => 200, json => $doc });

		$c->set(2 * $hour);
		$t->run();
		$t->post('/watched', '{}');
		ok(wait_for {
			($s->sql('SELECT count(*) FROM watches') || 0) == 1
		}, 'on disk');

		$t->stop();
		$c->set(0);
		$up->forget();
		$t->run();

		ok($up->wait_requests(1, 10, '/watched/w1'), 'asked for again');
		ok(wait_for {
			json($s->got('hooks')->body())->{watch}{lapsed} == 1
		}, 'but not for hours');

		$s->done();
	};
}

done_testing();

###############################################################################
