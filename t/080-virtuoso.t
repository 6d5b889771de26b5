#!/usr/bin/perl

# conf/webhook/virtuoso.conf: every document that is known of the API, and
# whole runs as its clients make them, through nginx, to what a receiver gets.

###############################################################################

use warnings;
use strict;

use Digest::SHA qw/ hmac_sha1_hex /;
use Test::More;

use WebhookTest;

###############################################################################

my $secret = 's3same-s3same-s3same-s3same';
my $samples = repo('t/samples/virtuoso');

my $t = WebhookTest->new(workers => 2);
my $up = $t->upstream('up');
my $r = $t->receiver('r');
my $api = $t->example_api('api');
my $gzip = $t->example_api('gzip', gzip => 1, token => 't0ken',
	outcome => 'FAIL', first => 95001);

my $watched = $t->example_api('watched', token => 'the-token');

my $server = <<'EOF';

server {
    listen 127.0.0.1:%%PORT_x_NAME%%;

    location /api/ {
        proxy_pass %%URL_NAME%%;
        proxy_ignore_client_abort on;
        webhook_observe virtuoso;

        webhook NAME {
            url %%URL_r%%/NAME;
        }
    }
}

EOF

my $servers = join '', map { $server =~ s/NAME/$_/gr } qw/ api gzip /;

$servers .= ($server =~ s/NAME/watched/gr) =~ s/observe \Kvirtuoso/virtuoso-own/r;

# what the description has to uncomment

my $own = read_file(repo('conf/webhook/virtuoso.conf'))
	=~ s/^webhook_api virtuoso\b/webhook_api virtuoso-own/mr;

is($own =~ s/^    # (watch(?:_header)? +\S+.*;)$/    $1/mg, 2,
	'lines to uncomment');
$own =~ s/execution\/status\K;/ every=100ms;/;
$t->file('own.conf', $own);

$t->http_config(<<"EOF");

include %%CONF%%/webhook/virtuoso.conf;
include %%TESTDIR%%/own.conf;

log_format events '\$request_method \$request_uri events=\$webhook_events';
access_log %%TESTDIR%%/access.log events;

webhook_defaults {
    secret $secret;
    member project.id 4889;
    member project.name "Acme web shop";
    member organization.name Acme;
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    # one document is one world of its own

    location / {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe virtuoso realm=\$http_x_case;

        webhook samples {
            url %%URL_r%%/samples;
            events EXECUTION;
            header X-Case \$http_x_case;
        }
    }
}

$servers

EOF

$t->run();

###############################################################################

# how it is asked for => what it answers, status; events when the execution was
# launched before, and when it is seen for the first time

my $id = '/api/executions/90001';

my @cases = (
	[ "GET $id/status", 'INFERRED-status-not-started-noenvelope.json', 200,
		'', 'LAUNCHED' ],
	[ "GET $id/status?envelope=false",
		'INFERRED-status-running-noenvelope.json', 200, 'STARTED',
		'STARTED' ],
	[ "GET $id/status?envelope=false",
		'INFERRED-status-canceled-noenvelope.json', 200,
		'STARTED FINISHED', '' ],
	[ 'GET /api/jobs/90001/status',
		'INFERRED-status-finished-fail-noenvelope.json', 200,
		'STARTED FINISHED', '' ],
	[ "GET $id/status", 'status-finished-envelope.json', 200,
		'STARTED FINISHED', '' ],
	[ 'GET /api/jobs/90001/status?envelope=true',
		'status-finished-envelope-fullsize-scrubbed.json', 200,
		'STARTED FINISHED', '' ],
	[ "GET $id/status", 'status-finished-noenvelope.json', 200,
		'STARTED FINISHED', '' ],
	[ "GET $id", 'execution-detail-noenvelope-trimmed.json', 200,
		'STARTED FINISHED', '' ],
	[ "GET $id?envelope=false",
		'execution-detail-noenvelope-fullsize-scrubbed.json', 200,
		'STARTED FINISHED', '' ],

	[ "GET $id/status", 'error-401.json', 401, '', '' ],
	[ "GET $id/status", 'error-401.json', 200, '', '' ],
	[ "GET $id/status", 'status-finished-envelope.json', 401, '', '' ],
	[ "GET $id/status", 'error-404-unknown-route.html', 404, '', '' ],
	[ "GET $id/status", 'error-404-unknown-route.html', 200, '', '' ],
	[ "GET $id/status", 'missing-api-prefix-200-not-json.txt', 200, '',
		'' ],
	[ 'GET /executions/90001/status',
		'missing-api-prefix-200-not-json.txt', 200, '', '' ],

	# documents of other things, and of executions on other paths

	[ 'GET /api/projects/2001', 'project-envelope.json', 200, '', '' ],
	[ 'GET /api/goals/3001/versions',
		'INFERRED-goal-versions-envelope.json', 200, '', '' ],
	[ 'GET /api/testsuites/latest_status',
		'INFERRED-testsuites-latest_status-envelope.json', 200, '',
		'' ],
	(map { [ $_, 'INFERRED-status-running-noenvelope.json', 200, '', '' ] }
		'GET /api/executions/analysis/90001',
		'GET /api/executions/90001/suites/610001/cases',
		'POST /api/executions/90001/failures/explain',
		'GET /api/goals/metrics/executions',
		'GET /api/plans/executions/status/90001',
		'GET /api/executions/90001/', 'GET /api/executions/90001x',
		'POST /api/executions/90001/status',
		'GET /api/goals/3001/execute', 'GET /v2/api/executions/90001',
		'DELETE /api/executions/90001', 'HEAD /api/executions/90001'),
);

# how it is launched => with what, what it answers, executions

my @launches = (
	[ 'POST /api/goals/3001/execute', '',
		'INFERRED-launch-goal-envelope.json', '90001' ],
	[ 'POST /api/goals/3001/snapshots/5001/execute',
		'req-execute-snapshot-all.json',
		'INFERRED-launch-goal-envelope.json', '90001' ],
	[ 'POST /api/goals/3001/snapshots/5001/execute?envelope=false',
		'req-execute-snapshot-canonical.json',
		'INFERRED-launch-goal-noenvelope.json', '90001' ],
	[ 'POST /api/testsuites/610001/execute',
		'req-execute-snapshot-suiteids.json',
		'INFERRED-launch-goal-envelope.json', '90001' ],
	[ 'POST /api/plans/executions/81001/execute',
		'req-execute-plan-environment.json',
		'INFERRED-launch-plan-noenvelope.json', '90001 90002' ],
	[ 'PUT /api/plans/executions/81001/execute', '',
		'INFERRED-launch-plan-noenvelope.json', '90001 90002' ],
);

my ($n, $taken, %used) = (0, 0);

for my $case (@launches) {
	my ($what, $with, $answer, $ids) = @$case;

	$used{$_} = 1 for $with, $answer;

	for my $status (200, 201) {
		my @events = ask($what, $answer, $status, ++$n, $with);

		is(events(@events), $ids =~ s/\d+/LAUNCHED/gr, "$what, $status - events");
		is(join(' ', sort map { $_->json->{execution}{id} } @events),
			$ids, "$what, $status - executions");
		is($events[0]->json->{goal}{id}, 3001, "$what - goal")
			if $what =~ /goals/;
		is($events[0]->json->{snapshot}{id}, 5001, "$what - snapshot")
			if $what =~ /snapshots/;
	}

	is(events(ask($what, 'error-401.json', 401, ++$n, $with)), '',
		"$what - refused");
	is(events(ask($what, $answer, 500, ++$n, $with)), '', "$what - failed");
	is(events(ask($what, 'missing-api-prefix-200-not-json.txt', 200, ++$n,
		$with)), '', "$what - no JSON");
}

for my $case (@cases) {
	my ($what, $answer, $status, $after, $alone) = @$case;

	$used{$answer} = 1;

	my $name = "$what, $answer, $status";

	is(events(ask($what, $answer, $status, ++$n)), $alone,
		"$name - seen first");

	ask($launches[0][0], $launches[0][2], 200, ++$n);
	is(events(ask($what, $answer, $status, $n)), $after,
		"$name - after its launch");
	is(events(ask($what, $answer, $status, $n)), '', "$name - again");
}

is(join(' ', grep { !$used{$_} } map { s!.*/!!r } glob "$samples/*"), '',
	'no document was forgotten');

# one execution by either path, whatever the form

ask($launches[0][0], $launches[0][2], 200, ++$n);

is(events(ask("GET $id/status?envelope=false",
	'INFERRED-status-running-noenvelope.json', 200, $n)), 'STARTED',
	'started, by one path');
is(events(ask('GET /api/jobs/90001/status',
	'INFERRED-status-running-noenvelope.json', 200, $n)), '',
	'known by the other');
is(events(ask('GET /api/jobs/90001/status',
	'status-finished-envelope.json', 200, $n)), 'FINISHED',
	'finished, by the other');
is(events(ask("GET $id", 'execution-detail-noenvelope-fullsize-scrubbed.json',
	200, $n)), '', 'known in detail');

# nothing of this leaves

my $all = join "\n", map { $_->body } $r->requests();

unlike($all, qr/"meta"|initialDataPerJourney|password|"username"|usedData
	|testDataValue|xxxx/x, 'no data of tests');

###############################################################################

# whole runs

my $acme = { project => { id => 4889, name => 'Acme web shop' },
	organization => { name => 'Acme' } };

# a token in the query is not used to ask for more

for my $run ([ api => $api, '', '', 'PASS', 90001,
	{ %$acme, organization => { id => 11, name => 'Acme' } },
	{ id => 3001, name => 'Checkout 3001' } ],
	[ gzip => $gzip, '?token=t0ken', '&envelope=false', 'FAIL', 95001,
	$acme, { id => 3001 } ])
{
	my ($name, $api, $query, $more, $outcome, $first, $of, $goal) = @$run;

	$query .= $query ? $more : $more =~ s/^&/?/r;

	my $request = sub {
		my ($method, $uri) = @_;

		return $t->see($method, $uri . $query, port => "x_$name",
			headers => [ 'Accept-Encoding' =>
				'gzip, deflate, br, zstd' ]);
	};

	is(events($r->wait_requests(1, undef, "/$name")), 'PING',
		"$name - ping");

	# look-alikes

	for my $uri ('/api/executions/analysis/90001', '/api/goals/3001',
		'/api/executions/90001/suites/1/x', '/api/projects/2001',
		'/api/goals/metrics/executions', '/api/goals/3001/versions',
		'/api/plans/executions/status/90001',
		'/api/testsuites/latest_status')
	{
		is($request->('GET', $uri)->status, 200, "$name - $uri");
	}

	is($request->('POST', "/api/executions/90001/failures/explain")->status,
		200, "$name - explain");

	# a launch, and polls until it is over, each by another path

	my $response = $request->('POST', '/api/goals/3001/execute');

	is($response->status, 200, "$name - launched");
	$r->wait_requests(2, undef, "/$name");

	my $poll = 0;

	for my $n (2, 3, 4, 5, 6, 6, 6) {
		my $kind = $poll++ % 2 ? 'jobs' : 'executions';

		$request->('GET', "/api/$kind/$first/status");
		$r->wait_requests($n, undef, "/$name");
	}

	# known in all its states

	$request->('GET', "/api/executions/$first");

	my @q = $r->requests("/$name");

	is(events(@q), 'PING LAUNCHED STARTED UPDATED UPDATED FINISHED',
		"$name - events");
	is(join(' ', map { $_->json->{execution}{progress} } @q[1 .. 5]),
		'0 0.1 0.5 0.9 1', "$name - progress");
	is($q[5]->json->{execution}{outcome}, $outcome, "$name - outcome");
	is(join(' ', map { $_->json->{type} } @q[0, 1]), 'PING EXECUTION',
		"$name - types");

	for my $q (@q) {
		my $p = $q->json;

		my $around = $p->{type} eq 'PING' ? $acme : $of;

		is_deeply($p->{$_}, $around->{$_}, "$name - $_")
			for qw/ project organization /;
		is($q->header('X-Virtuoso-Signature'),
			'sha1=' . hmac_sha1_hex($q->body, $secret),
			"$name - signature");
		next if $p->{type} eq 'PING';

		is($p->{execution}{id}, $first, "$name - execution");
		is_deeply($p->{goal}, $goal, "$name - goal");
		is_deeply($p->{snapshot}, { id => 5001 }, "$name - snapshot");
		is($p->{sender}{id}, 42, "$name - sender");
	}

	# a plan: one launch, two executions

	$request->('PUT', '/api/plans/executions/7/execute');

	@q = $r->wait_requests(8, undef, "/$name");
	splice @q, 0, 6;
	is(events(@q), 'LAUNCHED LAUNCHED', "$name - plan");

	my @ids = sort map { $_->json->{execution}{id} } @q;
	is("@ids", join(' ', $first + 1, $first + 2), "$name - plan, jobs");

	$api->command(cmd => 'finish', id => $_) for @ids;
	$request->('GET', "/api/jobs/$ids[0]/status");
	$request->('GET', "/api/executions/$ids[1]/status");

	@q = $r->wait_requests(12, undef, "/$name");
	splice @q, 0, 6;

	for my $id (@ids) {
		is(events(grep { $_->json->{execution}{id} == $id } @q),
			'LAUNCHED STARTED FINISHED', "$name - plan, job $id");
	}

	unlike(join("\n", map { $_->body } @q), qr/"meta"|correct-horse|t0ken
		|tester\@example/x, "$name - no secret");
}

# nobody polls

is($t->request('POST', '/api/goals/3001/execute', port => 'x_watched',
	headers => [ Authorization => 'Bearer the-token' ])->status, 200,
	'watched - launched');

is(events($r->wait_requests(6, undef, '/watched')),
	'PING LAUNCHED STARTED UPDATED UPDATED FINISHED', 'watched - events');

$t->done();

###############################################################################

# asks nginx for something that the API answers so; the events of it

sub ask {
	my ($what, $answer, $status, $case, $with) = @_;

	my ($method, $uri) = split / /, $what;
	my ($path) = $uri =~ /^([^?]*)/;
	my $type = $answer =~ /json$/ ? 'application/json' : 'text/html';

	$up->set("$method $path" => { status => $status, file =>
		"$samples/$answer", headers => { 'Content-Type' => $type } });

	my $before = length $t->access_log();
	my $events;

	$t->request($method, $uri, headers => [ 'X-Case' => "case-$case" ],
		$with ? (body => read_file("$samples/$with")) : ());

	wait_for {
		($events) = substr($t->access_log(), $before)
			=~ /events=(\d+)\n/;
		return defined $events;
	};

	my @all = $r->wait_requests($taken + $events, undef, '/samples');
	my @new = splice @all, $taken;

	$taken += @new;

	return sort { $a->header('X-Webhook-Sequence')
		<=> $b->header('X-Webhook-Sequence') } @new;
}

sub events { return join ' ', map { $_->header('X-Webhook-Event') } @_ }

###############################################################################
