#!/usr/bin/perl

# Attempts: credentials of a url reach the receiver, through a named location as
# without one; while all of webhook_connections are taken, the worker rests.

###############################################################################

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 /;
use Test::More;
use Time::HiRes qw/ time /;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 1);
my $r = $t->receiver('r', rules => {
	'/due' => [ { status => 500 }, { status => 204 } ],
	'/held' => [ { hold => 1 } ],
	'/many' => { status => 404 },
	'/kept' => [ { status => 204 }, { hold => 1 }, { status => 204 } ],
	'/late' => [ { status => 204 }, { delay => 1400, drop => 'reset' },
		{ drop => 'hang' } ],
});

# name => [ userinfo, settings, what is sent ]

my %via = (
	both => [ 'me:p%40ss%3a%25', '', basic('me:p@ss:%') ],
	user => [ 'me', '', basic('me:') ],
	password => [ ':pass', '', basic(':pass') ],
	none => [ undef, '', undef ],
	own => [ 'me:pass', 'header Authorization "Bearer x";', 'Bearer x' ],
);

my $vias = '';

for my $name (sort keys %via) {
	my ($userinfo, $more) = @{ $via{$name} };
	$userinfo = defined $userinfo ? "$userinfo\@" : '';

	$vias .= "webhook $name { url http://$userinfo%%HOST_r%%/$name; "
		. "via \@r; $more }\n";
	$vias .= "webhook direct_$name { url http://$userinfo%%HOST_r%%"
		. "/direct_$name; $more }\n";
}

$t->http_config(<<"EOF2");

webhook_connections 1;

webhook_api test {
    id /id;
    state /status;
    states STARTED running;
    route GET /* { }
}

upstream kept {
    server %%HOST_r%%;
    keepalive 4;
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;
    webhook_observe test;

    location /due {
        webhook due { url %%URL_r%%/due; events EXECUTION; retry 1500ms; }
        return 200 '{"id":"\$arg_id","status":"running"}';
    }

    location /many {
        webhook many { url %%URL_r%%/many; events EXECUTION;
            retry @{[ '1ms ' x 29 ]}; }
        return 200 '{"id":"\$arg_id","status":"running"}';
    }

    location /held {
        webhook held { url %%URL_r%%/held; events EXECUTION; timeout 60s; }
        return 200 '{"id":"\$arg_id","status":"running"}';
    }

    $vias

    location /kept {
        webhook kept { url %%URL_r%%/kept; via \@kept; retry off; }
        return 200 '{"id":"\$arg_id","status":"running"}';
    }

    location /late {
        webhook late { url %%URL_r%%/late; via \@kept; retry off; timeout 2s; }
        return 200 '{"id":"\$arg_id","status":"running"}';
    }

    location \@kept {
        include %%CONF%%/webhook/via.conf;
        proxy_pass http://kept;
    }

    location \@r {
        include %%CONF%%/webhook/via.conf;
        proxy_pass %%URL_r%%;
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF2

$t->run();

###############################################################################

# credentials of a url, through named locations as without

for my $name (sort keys %via) {
	for my $path ("/direct_$name", "/$name") {
		my ($ping) = $r->wait_requests(1, undef, $path);

		is($ping->header('Authorization'), $via{$name}[2],
			"$path - credentials");
		is($ping->header('Host'), $r->host(), "$path - host");
	}
}

my $uuid = $t->get('/status/deliveries?hook=both')->json
	->{deliveries}[0]{uuid};
my $shown = $t->get("/status/deliveries/$uuid")->body;
my $basic = encode_base64('me:p@ss:%', '');

unlike($shown, qr/\Q$basic\E|p\@ss|p%40ss/, 'credentials are not shown');

# of many attempts the latest are kept

$t->see('GET', '/many?id=many');
ok(wait_for { hook('many')->{failed} == 1 }, 'many - failed');

my $many = $t->get('/status/deliveries/' . $t->get(
	'/status/deliveries?hook=many')->json->{deliveries}[0]{uuid})->json;

is($many->{attempt_count}, 30, 'many - counted');
is(@{ $many->{attempts} }, 20, 'many - not all are kept');
is($t->get('/status/check', headers => [ 'X-Webhook-Write' => 1 ])->status, 200,
	'many - the zone is whole');

# a delivery is due while all places are taken

$t->see('GET', '/due?id=1');
$r->wait_requests(1, undef, '/due');
ok(wait_for { hook('due')->{waiting} == 1 }, 'refused once');

$t->see('GET', '/held?id=2');
is($r->wait_requests(1, undef, '/held'), 1, 'the only place is taken');

elapse(3);

my $wakes = switches();
elapse(1);
$wakes = switches() - $wakes;

cmp_ok($wakes, '<', 100, 'no spinning while all places are taken');
is($r->requests('/due'), 1, 'no place, no attempt');

$r->release(1);

ok(wait_for { hook('due')->{delivered} == 1 }, 'sent when a place is free');

# a kept connection breaks when the worker is about to go

$t->see('GET', '/kept?id=3');
is($r->wait_requests(2, undef, '/kept'), 2, 'on a kept connection');
ok($t->reload(), 'reload');
$r->close_all();
ok(wait_for { hook('kept')->{delivered} == 2 }, 'sent by a new worker');
is(hook('kept')->{failed}, 0, 'no failure');
is(($r->requests('/kept'))[2]->header('X-Webhook-Attempt'), 1,
	'the same attempt');

# the repeat on a new connection has what is left of the attempt's time

$t->see('GET', '/late?id=4');
ok(wait_for { hook('late')->{failed} == 1 }, 'not in time');
is($r->wait_requests(3, undef, '/late'), 3, 'repeated on a new connection');

($uuid) = map { $_->{uuid} } @{ $t->get(
	'/status/deliveries?hook=late&event=STARTED')->json->{deliveries} };
my ($attempt, @more) = @{ $t->get("/status/deliveries/$uuid")->json
	->{attempts} };

is(@more, 0, 'one attempt');
is($attempt->{error}, 'timeout', 'timeout');
cmp_ok($attempt->{phases}{total}, '<', 1500, 'of what was left');

$t->done();

###############################################################################

sub hook { return $t->get("/status/hooks/$_[0]")->json }

sub basic { return 'Basic ' . encode_base64($_[0], '') }

# this is about what happens while nothing happens

sub elapse {
	my $until = time() + $_[0];

	wait_for { time() >= $until } $_[0] + 10;
}

sub switches {
	my ($pid) = $t->worker_pids();
	my ($n) = read_file("/proc/$pid/status")
		=~ /^voluntary_ctxt_switches:\s+(\d+)/m;

	return $n;
}

###############################################################################
