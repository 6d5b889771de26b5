#!/usr/bin/perl

# The built-in transport over time: connections are kept, broken ones are
# replaced within the attempt, an idle worker does nothing, a reload waits for
# what is in flight, and nginx's own connections come first.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my @hooks = qw/ kept stale twice talks talks-tls crossed crossed-tls many late
	held held-via /;

my $t = WebhookTest->new(workers => 1);
$t->upstream('up', fallback => { json => { id => 1 } });
my $r = $t->receiver('r');

my $cert = $t->cert('r');
my $tls = $t->receiver('tls', tls => $cert);

configure('');

sub configure {
	my ($main) = @_;

	my %peer = map { $_ => /-tls$/ ? 'tls' : 'r' } @hooks;
	my %more = map { $_ => '' } @hooks;

	$more{held} = 'timeout 2s;';
	$more{late} = 'timeout 60s;';
	$more{'held-via'} = 'timeout 2s; via @r;';

	my $locations = join '', map { <<"EOF" } @hooks;

        location /run/$_ {
            proxy_pass %%URL_up%%;

            webhook $_ {
                url                      %%URL_$peer{$_}%%/$_;
                events                   EXECUTION;
                max_in_flight            64;
                ssl_trusted_certificate  $cert->{ca};
                $more{$_}
            }
        }
EOF

	$t->http_config(<<"EOF", main => $main);

webhook_api test {
    execution  "";
    id         \$arg_id;
    route      POST /run/* { launch; }
}

webhook_defaults { retry off; timeout 8s; }
webhook_zone zone=w:16m;

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location /run/ {
        webhook_observe test;
        proxy_ignore_client_abort on;
        proxy_pass %%URL_up%%;
$locations    }

    location \@r {
        include %%CONF%%/webhook/via.conf;
        proxy_pass %%URL_r%%;
    }

    location /status/ {
        access_log off;
        webhook_status write=on;
    }
}

EOF
}

$t->run();

###############################################################################

# one connection after the other's end

for my $n (1 .. 3) {
	see('kept', $n);
	ended('kept', $n);
}

my @reused = map { $_->{attempts}[0]{reused} ? 1 : 0 } map {
	ended('kept', $_) } 1 .. 3;

is("@reused", '0 1 1', 'kept - one connection');
ok(!defined ended('kept', 2)->{attempts}[0]{phases}{connect},
	'kept - no connecting');

# one that breaks when the next request comes; then one that breaks again

$r->set('/stale' => [ { status => 204, then => 'next' }, { status => 204 } ]);

see('stale', 1);
ended('stale', 1);
see('stale', 2);

my $d = ended('stale', 2);

is($d->{status}, 'delivered', 'stale - delivered');
is(@{ $d->{attempts} }, 1, 'stale - within one attempt');

$r->set('/twice' => [ { status => 204 }, { drop => 'reset' } ]);

see('twice', 1);
ended('twice', 1);
see('twice', 2);

$d = ended('twice', 2);

is($d->{status}, 'failed', 'twice - failed');
is($d->{attempts}[0]{error}, 'reset', 'twice - error');
cmp_ok(scalar $r->requests('/twice'), '<=', 3, 'twice - tried again once');

# one whose other end says that it was idle for too long: that is no answer to
# what is sent next

for my $peer ($r, $tls) {
	my $name = $peer->name() eq 'tls' ? 'talks-tls' : 'talks';

	$peer->set("/$name" => [ { status => 204, then => 'talk' },
		{ status => 204 } ]);

	see($name, 1);
	ended($name, 1);
	ok(wait_for { $peer->events('talked') == 1 }, "$name - it talks");
	see($name, 2);

	$d = ended($name, 2);

	is($d->{status}, 'delivered', "$name - delivered");
	is($d->{attempts}[0]{code}, 204, "$name - the answer");
	is(@{ $d->{attempts} }, 1, "$name - at once");
	ok(!$d->{attempts}[0]{reused}, "$name - on a new connection");
}

# the same that crosses the request; but such an answer to what is sent first,
# or once more, is one

for my $peer ($r, $tls) {
	my $name = $peer->name() eq 'tls' ? 'crossed-tls' : 'crossed';

	$peer->set("/$name" => [ { status => 204 },
		{ status => 408, body => 'idle' x 2000, headers => { 'X-A' => 'idle' } },
		{ status => 200, body => 'ok' },
		{ status => 408 }, { status => 408, body => 'late' } ]);

	for my $n (1 .. 3) {
		see($name, $n);
		ended($name, $n);
	}

	$d = ended($name, 2);

	is($d->{status}, 'delivered', "$name - delivered");
	is(@{ $d->{attempts} }, 1, "$name - within one attempt");
	is($d->{attempts}[0]{code}, 200, "$name - the answer");
	is($d->{response}{body}, 'ok', "$name - its body");
	ok(!$d->{response}{truncated}, "$name - whole");
	unlike($t->get("/status/deliveries/$d->{uuid}")->body(), qr/idle/,
		"$name - nothing of the other");
	ok(!$d->{attempts}[0]{reused}, "$name - on a new connection");

	$d = ended($name, 3);

	is($d->{status}, 'failed', "$name - failed");
	is($d->{attempts}[0]{code}, 408, "$name - by that answer");
	is($peer->requests("/$name"), 5, "$name - each was sent once more");
}

# many at once, each once

$r->set('/many' => { status => 204, delay => 100 });

see('many', $_) for 1 .. 300;

is($r->wait_requests(300, 30, '/many'), 300, 'many - all received');

my %ids = map { $_->header('X-Webhook-Delivery') => 1 }
	$r->requests('/many');

is(keys %ids, 300, 'many - each once');

# the receiver closes what is idle: no loop, and a new connection after that

$r->close_all();

my ($pid) = $t->worker_pids();
my $cpu = cpu($pid);

wait_for { 0 } 2;

cmp_ok(cpu($pid) - $cpu, '<=', 20, 'idle - no busy loop');

$r->set('/kept' => { status => 204 });
see('kept', 4);

is(ended('kept', 4)->{status}, 'delivered', 'idle - and goes on');

# a worker that was held up, as by a machine that stood still, and finds answers
# when it is too late for them: they are there

for my $name (qw/ held held-via /) {
	$r->set("/$name" => { status => 200, body => 'ok', hold => 1 });
	see($name, 1);
	$r->wait_requests(1, undef, "/$name");

	kill 'STOP', $pid;
	$r->release();
	wait_for { 0 } 2.2;
	kill 'CONT', $pid;

	$d = ended($name, 1);

	is($d->{status}, 'delivered', "$name - delivered");
	is($d->{response}{body}, 'ok', "$name - the answer");
}

# what is in flight ends before the old worker does; what is idle does not wait

$r->set('/late' => { status => 204, hold => 1 },
	'/kept' => { status => 204, hold => 1 });

see('kept', $_) for 5, 6;
$r->wait_requests(6, undef, '/kept');
see('late', 1);
$r->wait_requests(1, undef, '/late');

$r->release(2);
ended('kept', $_) for 5, 6;

cmp_ok($r->stats->{open}, '>', 1, 'reload - others are idle');
cmp_ok($tls->stats->{open}, '>', 0, 'reload - and by TLS');

ok($t->reload(), 'reload');

my $closed = wait_for { $r->stats->{open} == 1 && $tls->stats->{open} == 0 };
ok($closed, 'reload - these are closed');

$r->release();
is(ended('late', 1)->{status}, 'delivered', 'reload - delivered');
is(@{ ended('late', 1)->{attempts} }, 1, 'reload - at the first attempt');
ok((wait_for { !kill 0, $pid } 20), 'reload - the old worker ends');

# a short worker_shutdown_timeout cuts it off, cleanly

$r->set('/late' => { drop => 'hang' });

configure('worker_shutdown_timeout 500ms;');
ok($t->reload(), 'shutdown - configured');

see('late', 2);
$r->wait_requests(2, undef, '/late');

my $started = time();

ok($t->quit(), 'shutdown - ended');
cmp_ok(time() - $started, '<', 30, 'shutdown - in time');

$t->done();

###############################################################################

sub see {
	my ($name, $id) = @_;

	$t->see('POST', "/run/$name?id=$name$id", body => '');
}

sub ended {
	my ($hook, $id) = @_;
	my $d;

	wait_for {
		($d) = @{ $t->get("/status/deliveries?hook=$hook"
			. "&execution=$hook$id")->json->{deliveries} };
		return $d && $d->{status} !~ /waiting|sending/;
	};

	return $t->get("/status/deliveries/$d->{uuid}")->json;
}

# processor time, in hundredths of a second

sub cpu {
	my ($pid) = @_;

	my @stat = split ' ', read_file("/proc/$pid/stat");

	return $stat[13] + $stat[14];
}

###############################################################################
