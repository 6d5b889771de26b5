#!/usr/bin/perl

# enrich, while processes come and go: an event that waits for a member keeps
# its place, whoever sees the next one, and is sent whoever dies.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;
use WebhookTest::Store;

###############################################################################

my $store = store_available();

for my $with ($store ? (0, 1) : 0) {
	subtest($with ? 'with a store' : 'without a store',
		sub { life($with) });
}

done_testing();

###############################################################################

sub life {
	my ($with) = @_;

	my $t = WebhookTest->new(workers => 2);
	my $api = $t->upstream('api');
	my $r = $t->receiver('hook');

	$t->http_config(($with ? "webhook_store %%TESTDIR%%/store;\n" : '')
		. <<'EOC');

webhook_api runs {
    id       /id;
    state    /status;
    states   LAUNCHED queued;
    states   STARTED running;
    states   FINISHED done;
    updated  /step;

    enrich   project /api/projects/1 ttl=0;

    route POST /api/runs { launch; }
    route GET /api/runs/* { }
}

webhook_defaults { events EXECUTION; retry 100ms 100ms 100ms 1s 1s 1s 1s; }

log_format  pids  '$request_uri $pid';

server {
    listen       127.0.0.1:%%PORT_0%%;

    location /api/ {
        access_log                 %%TESTDIR%%/pids.log pids;
        proxy_pass                 %%URL_api%%;
        proxy_ignore_client_abort  on;
        webhook_observe            runs;

        webhook hook { url %%URL_hook%%/; }
        webhook only { url %%URL_hook%%/only; match /project/name P; }
        webhook rest { url %%URL_hook%%/rest; match /project/name !P; }
    }

    location /status/ { webhook_status write=on; }
}
EOC

	$t->run();

	my $run = sub { return { json => { id => $_[0], status => $_[1],
		@_[2 .. $#_] } } };

	my $launch = sub {
		my ($id) = @_;
		$api->set('/api/runs' => $run->($id, 'queued'));
		$t->post("/api/runs?$id", '{}');
	};

	my $got = sub {
		my ($id, $n, $path) = @_;
		my @got;

		wait_for {
			@got = grep { $_->path() eq ($path || '/')
				&& $_->json()->{execution}{id} eq $id } $r->requests();
			@got >= $n;
		};

		return join ' ', map { $_->json()->{event} . ':'
			. ($_->json()->{project}{name} || '-') } @got;
	};

	my $asked = sub {
		return scalar grep { $_->path() eq '/api/projects/1' }
			$api->requests();
	};

	my $good = { json => { id => 1, name => 'P' } };
	my $held = { %$good, hold => 1 };

	# seen by another worker, which has its answer first

	my ($n, $apart) = (0, 0);

	while ($apart < 1 && $n++ < 60) {
		$api->forget();
		$api->set('/api/projects/1' => [ $held, $good ],
			"/api/runs/$n" => $run->($n, 'done'));

		$launch->($n);
		wait_for { $asked->() };
		$t->get("/api/runs/$n");

		my %pids;
		wait_for {
			%pids = map { $_ => 1 } grep { $_ }
				read_file($t->dir() . '/pids.log')
				=~ m!^/api/runs(?:\?|/)$n (\d+)$!gm;
			(() = read_file($t->dir() . '/pids.log')
				=~ m!^/api/runs(?:\?|/)$n \d+$!gm) == 2;
		};

		if (keys %pids == 2) {
			$apart++;

			ok(wait_for { $asked->() == 2 }, 'both asked');
			ok(wait_for {
				$t->get("/status/deliveries?execution=$n&hook=hook")
				->body() =~ /FINISHED/
			}, 'all are queued');
			is($got->($n, 0), '', 'the first holds up the others');
		}

		$api->release(10);
		is($got->($n, 3), 'LAUNCHED:P STARTED:P FINISHED:P', 'in order')
			if keys %pids == 2;
		$got->($n, 3);
	}

	is($apart, 1, 'seen by two workers');

	if (!$with) {
		# a worker is killed while it asks

		$api->forget();
		$api->set('/api/projects/1' => $held);
		$launch->('k');
		ok(wait_for { $asked->() }, 'asked');
		$t->kill_worker($_, 'KILL') for $t->worker_pids();
		$t->wait_workers();

		is($got->('k', 1), 'LAUNCHED:-', 'sent as it is');
		is($got->('k', 1, '/rest'), 'LAUNCHED:-', 'judged as it is');
		is($got->('k', 0, '/only'), '', 'not wanted so');
		$api->release(10);

		# a reload while it asks

		$api->forget();
		$api->set('/api/projects/1' => [ $held, $good ]);
		$launch->('l');
		ok(wait_for { $asked->() }, 'asked');
		ok($t->reload(), 'reload');
		$api->release(10);
		is($got->('l', 1), 'LAUNCHED:P', 'the old worker ends it');
		is($got->('l', 1, '/only'), 'LAUNCHED:P', 'for whom it may concern');
		is($got->('l', 0, '/rest'), '', 'and nobody else');

		# an orderly end

		$api->set('/api/projects/1' => $held);
		$launch->('q');
		ok($t->quit(), 'ends in time');

	} else {

		# what was asked for is on disk

		$api->set('/api/projects/1' => $good);
		$r->set('*' => { status => 503 });
		$launch->('c');
		ok(wait_for { grep { $_->path() eq '/' } $r->requests() }, 'tried');
		ok(wait_for { $t->get('/status/deliveries?execution=c')->body()
			=~ /"hook": *"only"/ }, 'waiting');
		$got->('c', 1);
		$t->crash();
		$r->forget();
		$r->set('*' => { status => 204 });
		$t->run();
		is($got->('c', 1), 'LAUNCHED:P', 'after a crash');
		is($got->('c', 1, '/only'), 'LAUNCHED:P', 'and who wants it');

		# everything is killed while it asks

		$api->forget();
		$api->set('/api/projects/1' => $held);
		$launch->('d');
		ok(wait_for { $asked->() }, 'asked');
		ok(wait_for { $t->get('/status/deliveries?execution=d')->body()
			=~ /LAUNCHED/ }, 'queued');

		my $file = $t->dir() . '/store/webhooks.db';
		my $sql = q{SELECT count(*) FROM deliveries WHERE execution = 'd'};

		ok(wait_for { `sqlite3 $file "$sql"` =~ /^2$/ }, 'on disk, too');
		$t->crash();
		$api->release(10);
		$t->run();
		is($got->('d', 1), 'LAUNCHED:-', 'sent as it is');
		is($got->('d', 0, '/only'), '', 'not wanted so');
	}

	$api->release(10);
	$t->done();
}

###############################################################################
