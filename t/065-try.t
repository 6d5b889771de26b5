#!/usr/bin/perl

# Dry runs: what a description makes of a document, rule by rule; nothing is
# changed by them.

###############################################################################

use warnings;
use strict;

use JSON::PP qw/ encode_json /;
use POSIX ();
use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new();
my $up = $t->upstream('up');
my $r = $t->receiver('r');

my $conf = <<'EOF';

webhook_zone zone=webhooks:1m;
webhook_buffer_size 64k;

webhook_api jobs {
    id /id;
    execution "";
    goal.id $job_goal;
    sender.name $http_x_user;
    project.name $arg_project;
    snapshot.name $request_method;
    state /status;
    states LAUNCHED queued;
    states STARTED running;
    states FINISHED done;
    updated /progress $http_x_progress;
    run /attempt;
    omit /secret_bulk;

    route POST ~^/goals/(?<job_goal>\d+)/run$ { launch; }
    route GET /jobs/ignored { ignore; }
    route GET /jobs/many { each /jobs/*; present FINISHED 2/done=true; }
    route GET /jobs/strict { require /kind job; omit /kind; }
    route GET /jobs/some {
        each /jobs/*;
        require /kind job ~^t;
        require /tag;
        require 2/ok !false;
        require 2/state/[of=jobs]/is !broken;
    }
    route GET /jobs/when when=$http_x_when { }
    route DELETE /jobs/* status=202,204 { id $http_x_id; state $http_x_state; }
    route GET /jobs/* { }
}

webhook_api within {
    id         /id;
    execution  "";
    state      /status;
    states     LAUNCHED queued;
    states     FINISHED done;

    route GET /x { require /kind job; omit /jobs; }
    also { each /jobs/*; require /kind part; id "${2/id}.${/n}"; state x$arg_s; }
}

webhook_api gone {
    route GET ~^/file/(?<file>\w+)$ body=off {
        id      $file;
        state   done;
        states  FINISHED done;
    }
    route GET ~^/gone/(?<gone>\w+)$ status=200,404 {
        id      $gone;
        state   "at $status";
        states  FINISHED "at 404";
    }
    route GET /text body=text { id ""; }
}

map $request_body $rpc_adds { default 0; "~\"method\": *\"add\"" 1; }

webhook_api rpc {
    id  /result;

    route POST /rpc when=$rpc_adds { launch; }
    route POST /rpc {
        id      $request_body "~\"of\": *\"(\w+)\"";
        state   /result;
        states  FINISHED done;
    }
}

webhook_api rich {
    id           /id;
    state        /status;
    goal.id      /goal;
    sender.name  someone;

    route GET ~^/rich/(?<team>.+)$ {
        enrich  goal          /goals/${goal.id}?team=$team;
        enrich  project.name  /projects/${project.id};
        enrich  organization  /o/$webhook_execution;
        enrich  sender.name   /nobody;
    }
}

webhook_api deep {
    route GET /deep/updated { each /jobs/*; id 0#; UPDATED }
    route GET /deep/which { each /jobs/*; id 0#; goal.id 2/list/[id=z]/v; }
    route GET /deep/part {
        each          /jobs/*;
        id            0#;
        project       2/big;
        project.name  0#;
    }
    route GET /deep/text { each /jobs/*; id 0#; goal.name "${2/log}!"; }
    route GET /deep/id { each /jobs/*; id 2/log; }
}

include %%CONF%%/webhook/virtuoso.conf;

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location /goals/ {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe jobs;

        webhook ci { url %%URL_r%%/; }

        webhook end {
            url     %%URL_r%%/end;
            events  FINISHED;
            match   /project/id 4889;
            member  project.id 4889;
            member  goal.id none;
            member  organization.name Acme;
        }
    }

    location /gone/ {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe gone;
        webhook ci { url %%URL_r%%/; }
    }

    location /status/ {
        webhook_status write=on;
    }

    location /read/ {
        webhook_status;
    }
}

EOF

$conf =~ s!UPDATED!'updated ' . join(' ', ('2/big') x 16) . ';'!e;

$t->http_config($conf);
$t->run();

ok(wait_for { $r->requests('/') == 1 }, 'ping');

###############################################################################

# a launch

my $d = dry('method=POST&uri=/goals/17/run%3Fproject%3Dapollo',
	'{"id":5,"status":"queued","password":"h4rd","secret_bulk":[1],'
	. '"attempt":3,"progress":7}', 'X-User' => 'Ada');

is($d->{api}, 'jobs', 'api');
is($d->{method}, 'POST', 'method');
is($d->{path}, '/goals/17/run', 'path');
is($d->{status}, 200, 'status');
is($d->{document}, 'ok', 'document');
is($d->{reason}, 'events', 'reason');
is($d->{events}, 1, 'events');
is($d->{route}{index}, 0, 'route - index');
like($d->{route}{route}, qr/^POST ~/, 'route - text');
ok($d->{route}{launch}, 'route - launch');
ok($d->{route}{accepts_status}, 'route - status');
is(@{ $d->{routes} }, 1, 'routes - up to it');

my $o = $d->{observations}[0];
is($o->{id}, '5', 'id');
is($o->{status_text}, 'queued', 'status text');
ok(!$o->{unknown_status_text}, 'status text - known');
is($o->{rank}, 'LAUNCHED', 'rank');
is($o->{run}, 3, 'run');
is("@{ $o->{events} }", 'LAUNCHED', 'events of it');
is("@{ $o->{members} }", 'execution goal sender project snapshot', 'members');
is($o->{updated}[0]{value}, '/progress', 'updated - rule');
like($o->{updated}[0]{digest}, qr/^[0-9a-f]{16}$/, 'updated - digest');
is($o->{updated}[1]{digest}, undef, 'updated - absent');

is(@{ $o->{payloads} }, 1, 'payloads');
is($o->{wanted}, undef, 'wanted - by no webhook in particular');

is(@{ $o->{enrich} }, 0, 'nothing to ask for');

my $payload = $o->{payloads}[0];
is($payload->{event}, 'LAUNCHED', 'payload');
is($payload->{execution}{password}, '***', 'payload - redacted');
ok(!exists $payload->{execution}{secret_bulk}, 'payload - omit');
is($payload->{goal}{id}, '17', 'payload - a capture');
is($payload->{sender}{name}, 'Ada', 'payload - a header');
is($payload->{project}{name}, 'apollo', 'payload - an argument');
is($payload->{snapshot}{name}, 'POST', 'payload - the method');

# every event has its payload; as a webhook would be told

my @run = ('method=POST&uri=/goals/17/run', '{"id":5,"status":"done"}');

$d = dry(@run);
$o = $d->{observations}[0];
is($d->{events}, 3, 'a final launch - events');
is("@{ $o->{events} }", 'LAUNCHED STARTED FINISHED', 'a final launch - which');
is(join(' ', map { $_->{event} } @{ $o->{payloads} }),
	'LAUNCHED STARTED FINISHED', 'a final launch - payloads');

# what the request's own body says

my $rpc = 'api=rpc&method=POST&uri=/rpc';

$d = dry("$rpc&body=%7B%22method%22:%22add%22,%22x%22:%22a%2Bb%26c%22%7D",
	'{"result":"5e"}');
ok($d->{route}{launch}, 'the request\'s body - route');
is($d->{observations}[0]{id}, '5e', 'the request\'s body - id');
is($d->{events}, 1, 'the request\'s body - events');

$d = dry("$rpc&body=%7B%22of%22:%22run%22%7D", '{"result":"doing"}');
is($d->{route}{index}, 1, 'the request\'s body - another route');
is($d->{observations}[0]{id}, 'run', 'the request\'s body - gives the id');
is("@{ $d->{observations}[0]{events} }", 'STARTED',
	'the request\'s body - events of it');

$d = dry($rpc, '{"method":"add","of":"run","result":"5e"}');
is($d->{reason}, 'no id', 'the request\'s body - not the document');

$o = dry("$run[0]&hook=end", $run[1])->{observations}[0];
is_deeply($o->{payloads}[2], { type => 'EXECUTION', event => 'FINISHED',
	execution => { id => 5, status => 'done' }, goal => { id => '17' },
	project => { id => 4889 }, snapshot => { name => 'POST' },
	organization => { name => 'Acme' } }, 'a webhook - its members');
is("@{ $o->{wanted} }", 'FINISHED', 'a webhook - what it wants');

$o = dry("$run[0]&hook=ci", $run[1])->{observations}[0];
is("@{ $o->{wanted} }", 'LAUNCHED STARTED FINISHED', 'a webhook - all');

# routes

$d = dry('uri=/nowhere', '{}');
is($d->{reason}, 'no route', 'no route');
is($d->{route}, undef, 'no route - null');
is(@{ $d->{routes} }, 8, 'no route - all of them');
is($d->{routes}[0]{result}, 'another method', 'no route - method');
is($d->{routes}[1]{result}, 'another URI', 'no route - URI');

$d = dry('uri=/jobs/when', '{"id":1,"status":"done"}');
is($d->{routes}[5]{result}, '"when" does not hold', 'when');
is($d->{route}{index}, 7, 'when - the next one');

$d = dry('uri=/jobs/when', '{"id":1,"status":"done"}', 'X-When' => 1);
is($d->{route}{index}, 5, 'when - holds');

is(dry('uri=/jobs/a/../%256d%2561ny', '{"jobs":[]}')->{path}, '/jobs/many',
	'path - normalised');

# reasons

is(dry('uri=/jobs/ignored', '{}')->{reason}, 'ignore', 'ignore');
is(dry('uri=/jobs/strict', '{"id":1,"status":"done"}')->{reason}, 'require',
	'require');
is_deeply(dry('uri=/jobs/strict', '{"id":1,"kind":"job"}')->{refused}, [],
	'require - all hold');
is_deeply(dry('uri=/jobs/strict', '{"id":1,"kind":"task"}')->{refused},
	[ { element => 0, require => '/kind job' } ], 'require - which');

$d = dry('uri=/jobs/some', '{"jobs":[{"id":1,"kind":"job","tag":"x"},'
	. '{"id":2,"kind":"job"},{"id":3,"tag":"y"}]}');
is_deeply($d->{refused}, [ { element => 1, require => '/tag' },
	{ element => 2, require => '/kind job ~^t' } ],
	'require - which of several, where');
is($d->{executions}, 1, 'require - the others count');
is_deeply(dry('uri=/jobs/some', '{"ok":false,"jobs":[{"id":1,"kind":"job",'
	. '"tag":"x"}]}')->{refused}, [ { element => 0, require => '2/ok !false' } ],
	'require - above');
is(dry('uri=/jobs/some', '{"state":[{"of":"jobs","is":"broken"}],"jobs":['
	. '{"id":1,"kind":"job","tag":"x"},{"id":2,"kind":"job","tag":"x"}]}')
	->{reason}, 'require', 'require - above, of both');
is(join(' ', map { $_->{rank} } @{ dry('uri=/jobs/many', '{"done":true,"jobs":'
	. '[{"id":1},{"id":2}]}')->{observations} }), 'FINISHED FINISHED',
	'present - above');
is(@{ dry('uri=/jobs/some', '{"jobs":[' . join(',', ('{}') x 1100) . ']}')
	->{refused} }, 20, 'require - shown');

$d = dry('api=within&uri=/x', '{"id":1,"kind":"job","status":"queued","jobs":['
	. '{"n":2},{"n":3,"kind":"part"}]}');
is(join(' ', map { "$_->{id} @{ $_->{events} }" } @{ $d->{observations} }),
	'1 LAUNCHED 1.3 STARTED', 'also - another kind');
is_deeply($d->{observations}[0]{payloads}[0]{execution}, { id => 1, kind =>
	'job', status => 'queued' }, 'also - omitted of the first alone');
is_deeply($d->{refused}, [ { element => 0, require => '/kind part' } ],
	'also - refused');
is_deeply([ @{ $d }{qw/ executions events reason /} ], [ 2, 2, 'events' ],
	'also - together');
is($d->{route}{route}, 'GET /x', 'also - the route');
is(dry('api=within&uri=/x', '{"id":1,"status":"done","kind":"job"}')->{reason},
	'unchanged', 'also - nothing there');
is(dry('api=within&uri=/x', '{"jobs":[{"n":3,"kind":"part"}],"id":1}')
	->{reason}, 'events', 'also - that alone');
is(dry('api=within&uri=/x', '{"jobs":[]}')->{reason}, 'require',
	'also - neither');

is(dry('uri=/jobs/1&status=404', '{"id":1}')->{reason}, 'status', 'status');
ok(!dry('uri=/jobs/1&status=404', '{"id":1}')->{route}{accepts_status},
	'status - not accepted');
is(dry('uri=/jobs/1', '<html>')->{reason}, 'not JSON', 'not JSON');
is(dry('uri=/jobs/1', '')->{reason}, 'not JSON', 'no body');
is(dry('uri=/jobs/1', '{"n":99999999999999999999}')->{reason}, 'inexact',
	'inexact');
is(dry('uri=/jobs/1', '{"n":99999999999999999999}')->{reason}, 'inexact',
	'inexact - reason');
is(dry('uri=/jobs/1', '{"status":"done"}')->{reason}, 'no id', 'no id');
is(dry('uri=/jobs/1', '{"id":1}')->{reason}, 'no status', 'no status');

$d = dry('uri=/jobs/1', '{"id":1,"status":"dreaming"}');
ok($d->{observations}[0]{unknown_status_text}, 'unknown status text');
is($d->{observations}[0]{status_text}, 'dreaming', 'unknown - which');
is("@{ $d->{observations}[0]{events} }", 'STARTED', 'unknown - started');

$d = dry('uri=/jobs/1', '{"id":1,"status":"done"}');
is($d->{reason}, 'unchanged', 'first seen final');
is($d->{observations}[0]{rank}, 'FINISHED', 'first seen final - rank');
is($d->{observations}[0]{payloads}[0]{event}, 'FINISHED',
	'first seen final - payload');

# no document at all

for ([ 200, '{}', 'STARTED', 'ok' ], [ 404, '<html>', 'FINISHED',
	'not needed' ])
{
	my ($status, $body, $rank, $document) = @$_;

	$d = dry("api=gone&uri=/gone/g1&status=$status", $body);
	is($d->{observations}[0]{status_text}, "at $status",
		"the status itself: $status");
	is($d->{observations}[0]{rank}, $rank, 'what it means');
	is($d->{document}, $document, 'and its document');
}

$d = dry('api=gone&uri=/file/f1', '%PDF-1.7');
is($d->{document}, 'not needed', 'a file');
is($d->{observations}[0]{rank}, 'FINISHED', 'a file - what it means');

is(dry('api=gone&uri=/text', "t-1\n")->{observations}[0]{id}, 't-1', 'a text');
is(dry('api=gone&uri=/text', "t-1\nt-2\n")->{reason}, 'not JSON', 'two lines');

$d = dry('method=DELETE&uri=/jobs/9&status=204', '', 'X-Id' => 'nine',
	'X-State' => 'running');
is($d->{document}, 'not needed', 'no content');
is($d->{observations}[0]{id}, 'nine', 'no content - id');
is($d->{observations}[0]{status_text}, 'running', 'no content - status text');

# many

$d = dry('uri=/jobs/many', '{"jobs":['
	. join(',', map { qq({"id":$_,"status":"running"}) } 1 .. 30) . ']}');
is($d->{executions}, 30, 'many');
is($d->{events}, 30, 'many - events');
is(@{ $d->{observations} }, 20, 'many - shown');

# what is in a file

my $long = 'x' x 40000;
$d = dry('uri=/jobs/1', qq({"id":1,"status":"running","x":"$long"}));
is(length $d->{observations}[0]{payloads}[0]{execution}{x}, 40000, 'long');

# a shipped description

$d = dry('api=virtuoso&uri=/api/executions/1/status',
	'{"success":true,"item":{"id":1,"status":"RUNNING","startDate":1}}');
is($d->{observations}[0]{rank}, 'STARTED', 'virtuoso');

###############################################################################

# who may not, and what is wrong

is(try('uri=/jobs/1', 'x' x 70000)->status, 413, 'too large');
is(try('uri=/jobs/1', '{}', path => '/read')->status, 403, 'write=off');
is($t->post('/status/try?api=jobs&uri=/', '{}')->status, 403, 'no header');
is(try('uri=/', '{}', headers => [ Origin => 'http://evil.example' ])->status,
	403, 'a foreign page');
is($t->get('/status/try?api=jobs&uri=/')->status, 405, 'GET');

for ('api=jobs', 'api=none&uri=/', 'uri=/', 'api=jobs&uri=x',
	'api=jobs&uri=/&status=99', 'api=jobs&uri=/&status=x',
	'api=jobs&uri=/&other=1', 'api=jobs&uri=/..',
	'api=jobs&uri=/&hook=none', 'api=jobs&uri=/&uri=/', 'api=jobs&uri=%2',
	'api=jobs&uri=/&%')
{
	is(try($_, '{}', whole => 1)->status, 400, "bad - $_");
}

my $bad = try('api=none&uri=/', '{}', whole => 1);
is($bad->json->{parameter}, 'api', 'bad - named');
is(try('&&%61pi=jobs&&uri=%2f', '{}', whole => 1)->status, 200,
	'percent-encoded');

###############################################################################

# nothing has changed

my ($executions) = $t->get('/status/metrics')->body
	=~ /^nginx_webhook_executions (\d+)$/m;
is($executions, 0, 'no state');

is_deeply($t->get('/status/observed')->json->{observed}, [],
	'no observation');
is(@{ $t->get('/status/deliveries?hook=ci')->json->{deliveries} }, 1,
	'no delivery but the ping');
is($r->requests('/'), 1, 'nothing was sent');

# and the real thing does what the dry run said

$up->set('/goals/17/run' => { json => { id => 5, status => 'queued' } });
$t->post('/goals/17/run', '{}', headers => [ 'X-User' => 'Ada' ]);

my @got = $r->wait_requests(2, undef, '/');
is($got[1]->json->{sender}{name}, 'Ada', 'really');

# what the first byte says already, as when it is observed

my $seen = 100;

for ([ 'POST', '"x"' ], [ 'POST', '5' ], [ 'POST', 'null' ], [ 'POST', ' true' ],
	[ 'POST', '' ], [ 'POST', " \n" ], [ 'POST', '{"a"' ], [ 'POST', '[]' ],
	[ 'POST', "\n{}" ], [ 'POST', 'x' ], [ 'POST', '-1' ], [ 'GET', '' ],
	[ 'GET', " \r\n" ], [ 'GET', '5' ], [ 'GET', 'x' ], [ 'GET', '{}' ],
	[ 'GET', '5', 404 ])
{
	my ($method, $body, $status) = @$_;
	my $n = $seen++;
	my $path = $method eq 'POST' ? "/goals/$n/run" : "/gone/$n";

	$status ||= 200;
	$up->set($path => { status => $status, body => $body });

	$t->request($method, $path);

	my $observed;

	wait_for {
		($observed) = grep { $_->{path} eq $path }
			@{ $t->get('/status/observed?limit=50')->json->{observed} };
	};

	my $api = $method eq 'POST' ? 'jobs' : 'gone';

	is(dry("api=$api&method=$method&uri=$path&status=$status", $body)->{reason},
		$observed->{reason}, "$method $status " . encode_json([ $body ])
		. ": $observed->{reason}");
}

# what would be asked for

$d = dry('api=rich&uri=/rich/a%2520b', '{"id":5,"status":"running","goal":7}');
is_deeply([ map { delete $_->{line}; $_ } @{ $d->{observations}[0]{enrich} } ],
	[ { member => 'goal', uri => '/goals/7?team=***' },
	{ member => 'project.name', uri => undef },
	{ member => 'organization', uri => '/o/5' } ], 'enrich')
	or diag(explain($d));

# what is above them all costs a thousand executions what it costs one, or is
# refused where each would have a copy of it

my %big = map { ("k$_" => $_) } 1 .. 3000;
my %jobs = map { ($_ => {}) } 1 .. 1000;
my $used = cpu();

$d = deep('updated', { big => \%big });
is($d->{executions}, 1000, 'updated, above - executions');
is($d->{observations}[0]{updated}[15]{digest},
	$d->{observations}[1]{updated}[0]{digest}, 'updated, above - one digest');
$d = deep('which', { list => [ map { { id => "i$_" } } 1 .. 3000 ] });
is($d->{executions}, 1000, 'which, above');

$used = cpu() - $used;
cmp_ok($used, '<', 3, "above - $used s of CPU");

is(deep('part', { big => \%big })->{reason}, 'inexact', 'part, above');
is(deep('text', { log => 'x' x 40_000 })->{reason}, 'inexact',
	'text, above');
is(deep('id', { log => 'x' x 40_000 })->{reason}, 'inexact', 'id, above');

%jobs = map { ($_ => {}) } 1 .. 20;

$d = deep('part', { big => { map { ("k$_" => $_) } 1 .. 1000 } });
is($d->{executions}, 20, 'part, above - of some');
$d = deep('text', { log => 'x' x 40_000 });
is($d->{executions}, 20, 'text, above - of some');
$d = deep('id', { log => 'x' x 40_000 });
is($d->{executions}, 20, 'id, above - of some');

# without redaction, of names and of pairs

$t->http_config("$conf\nwebhook_redact off;");
ok($t->reload(), 'reload, nothing is redacted');

$d = dry('method=POST&uri=/goals/17/run', '{"id":6,"status":"queued",'
	. '"password":"h4rd","offset":1,"env":{"name":"token","value":2},'
	. '"secret_bulk":[1]}');

is_deeply($d->{observations}[0]{payloads}[0]{execution}, { id => 6, status =>
	'queued', password => 'h4rd', offset => 1, env => { name => 'token',
	value => 2 } }, 'nothing is redacted')
	or diag(explain($d));

$t->done();

###############################################################################

sub try {
	my ($args, $body, %o) = @_;

	$args = "api=jobs&$args" unless $o{whole} || $args =~ /^api=/;

	return $t->post(($o{path} || '/status') . "/try?$args", $body,
		headers => [ 'X-Webhook-Write' => 1, @{ $o{headers} || [] } ]);
}

sub deep {
	my ($what, $beside) = @_;

	return dry("api=deep&uri=/deep/$what",
		encode_json({ jobs => \%jobs, %$beside }));
}

sub cpu {
	my $ticks = 0;

	for my $pid ($t->worker_pids()) {
		my @stat = split ' ', read_file("/proc/$pid/stat");
		$ticks += $stat[13] + $stat[14];
	}

	return $ticks / POSIX::sysconf(&POSIX::_SC_CLK_TCK);
}

sub dry {
	my ($args, $body, @headers) = @_;

	my $answer = try($args, $body, headers => \@headers);
	is($answer->status, 200, "200 - $args");

	return $answer->json;
}

###############################################################################
