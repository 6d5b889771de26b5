#!/usr/bin/perl

# What execution APIs in the field do, each in its own way, as descriptions:
# launches by any method, answered anyhow; ids from anywhere; keys with any
# character; runs under old ids; aggregates.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 1);
my $api = $t->upstream('api');
my $hook = $t->receiver('hook');
my $failed = $t->receiver('failed');

$t->http_config(<<'EOF');

map $request_body $asks_for_status {
    default               0;
    ~"action":"describe"  1;
}

webhook_api field {
    id         /id;
    execution  "";
    state      /status;
    states     LAUNCHED queued 0;
    states     STARTED  running 1;
    states     FINISHED done failed 2 true;

    route GET /by-get { launch; }
    route PUT /by-put { launch; }
    route PATCH /by-patch status=202 { launch; }
    route POST ~^/no-content/(?<name>[^/]+)$ { launch; id $name; }
    route POST /created {
        launch;
        id      $created_id;
        execution  $created_id;
    }
    route POST /array { launch; each /*; id /id ""; }
    route POST /nested { launch; each /groups/*/jobs/*; }
    route POST /by-header when=$http_x_launch { launch; id $http_x_name; }

    route POST /query when=$asks_for_status { }

    route GET /keys {
        id            /job-id;
        state         /a~1b/c~0d/e.f;
        updated       /per-cent /$x;
        goal.id       /~1;
        goal.my-name  /;
        omit          /no-such.key /x-secret~1y;
    }

    route GET /runs/* { run /run_attempt; }
    route POST ~^/runs/(?<again>\d+)/rerun$ { rerun; id $again; run /none; }

    route POST /accepted status=202 body=off {
        launch;
        id         $upstream_http_location ~/report/(\w+);
        execution  $upstream_http_location ~/report/(\w+);
    }
    route GET ~^/report/(?<report>\w+)$ status=200,202 body=off {
        id         $report;
        execution  $report;
        state      $status;
        states     STARTED  202;
        states     FINISHED 200;
    }

    route GET /until { present STARTED /next; present FINISHED /next=!*; }
    route GET /dated { run /started; }
    route GET /ended { run /ended ~^[1-9].*; }

    route GET /empty { state /status /phase; execution.url "/runs/${/id}"; }
    route GET /empty-named { states LAUNCHED ""; }
    route GET /empty-all { state /stages/*/status; }

    route GET /first {
        states  STARTED  failing;
        states  FINISHED ~^fail;
    }

    route GET /all {
        state    /groups/*/jobs/*/status;
        present  FINISHED /groups/*/ended;
    }

    route GET ~^/gone/(?<name>[^/]+)$ status=2xx,404,410 {
        id      $name;
        state   $status;
        states  STARTED  200;
        states  FINISHED 404 410;
    }

    route GET ~^/early/(?<early>[^/]+)$ status=200,423,425 body=off {
        id      $early;
        state   $status;
        states  LAUNCHED 423;
        states  STARTED  425;
        states  FINISHED 200;
    }

    route POST /encoded {
        launch;
        id         /ref ~%^/operations/([^/?]+)
                   $upstream_http_location ~%/operations/([^/?]+)
                   $request_body "~%(?:^|&)op=([^&]+)";
        goal.name  /ref ~/operations/([^/?]+);
    }

    route GET ~^/operations/(?<encoded>.+)$ { id $encoded; }

    route GET /operation {
        id         $arg_op ~%.+;
        goal.name  $arg_op;
    }

    route GET ~^/within/(?<within>[^/]+)$ status=2xx,404 {
        each    /item "";
        id      $within;
        state   /status $status;
        states  FINISHED 404;
    }

    route POST /bare-within { launch; each /item ""; id ""; }

    route GET /refused status=200,202,422 {
        state   $status;
        states  STARTED  202;
        states  FINISHED 200 422;
    }

    route GET /conditions {
        present    STARTED  /conditions/[type=Running]/status=True;
        present    FINISHED /conditions/[type=Failed]/status=True
                            /conditions/[type=Done]/status=True;
        goal.name  /labels/[key=a~1b]/value;
        omit       /labels/[key=secret];
    }

    route POST /bare { launch; id ""; execution ""; state /none; }

    route POST /by-ref {
        launch;
        id  /ref ~[^/]+$ $upstream_http_location ~/refs/(\w+)\?;
    }

    route POST /see-other status=303 {
        launch;
        id         $upstream_http_location ~[^/]+$;
        execution  $upstream_http_location ~[^/]+$;
    }

    route GET /by-parts {
        each       /runs/* "";
        id         "${/dag}/${/run/number}";
        goal.id    /goal/url ~*/GOALS/(\d+);
        goal.name  "$request_method ${/name}";
        updated    /text ~\d+;
        state      /text ~^\w+;
    }

    route GET /queued {
        id            /queueId;
        execution     "";
        goal.name     /id;
    }

    route GET /queued-own {
        id            /queueId;
        execution.id  /id;
    }

    # names and members of what an execution stands in

    route GET /by-name { each /jobs/*; id 0#; }
    # how many of how many are done

    route GET /counted {
        state   "${/done}/${/total}";
        states  LAUNCHED ~^0/;
        states  FINISHED "~^([1-9]\d*)/\1$";
    }

    # a status and nothing else, which is no id

    route GET ~^/word/(?<word>\w+)$ { id $word; state ""; execution ""; }
    route GET ~^/percent/(?<word>\w+)$ {
        id         $word;
        state      up;
        states     STARTED up;
        updated    "";
        execution  "";
    }
    route GET ~^/done/(?<word>\w+)$ { id $word; state ""; states FINISHED true; }

    route GET /by-name-alone { each /jobs/*; id 0#; state ""; execution 0#; }

    route GET /by-queue {
        each        /queues/*/*;
        id          "${3/tenant}.${0#}";
        state       1# ~^in-(.+);
        project     3/project;
        goal.name   /name 3/project/name;
        sender.name 4#;
    }

    # a text, whatever it begins with

    route GET /by-text {
        each           /jobs/*;
        id             "1/${/n}";
        goal.name      "0#${0#}";
        project.name   "9/${2/team}/x";
        execution.url  "/jobs/${0#}";
    }

    # what is above several, and beside them

    route GET /by-group {
        each       /groups/*/jobs/*;
        goal.id    2/goal/id;
        goal.name  "${2/goal/name}.${0#}";
        project    2/project;
        project.n  /n;
        sender.id  1/[role=a]/secret;
        updated    2/goal /n;
        omit       /secret;
    }

    route GET /by-document { id 0/id; goal.name 0/name 1#; }

    # what is required of the envelope, and of the name within it

    route GET /envelope {
        each     /data/*;
        require  2/code SUCCESS;
        require  2/error !*;
        require  0# !~^_;
        require  1#;
        require  1/_only/status !*;
        omit     /status;
    }

    # the answer as a whole says that all in it is over

    route GET /whole-done {
        each     /jobs/*;
        present  STARTED  /begun;
        present  FINISHED 2/done=true 2/[of=jobs]/end 0#=~^over;
        omit     /status;
    }

    route GET /by-stage {
        each        /stages/[name=b]/jobs/*;
        id          "${2#}.${0#}";
    }

    # a whole and its parts, by lines in either order

    route GET /whole-and-parts {
        each       "";
        each       /jobs/* /none/*;
        each       /first;
        goal.name  /name;
        omit       /jobs /first/hidden /secret;
    }
    route GET /parts-and-whole {
        each       /first;
        each       /jobs/* /none/*;
        each       "";
        goal.name  /name;
        omit       /jobs /first/hidden /secret;
    }
    route POST /parts-or-whole {
        launch;
        each          /jobs/*;
        each          "";
        id            /id $http_x_name;
        execution.by  someone;
        omit          /jobs /secret;
    }

    route POST /part-and-whole {
        launch;
        each          /item;
        each          "";
        execution.by  someone;
        omit          /item/secret;
    }

    # the id in arguments, which may be absent

    route GET /by-argument { id $arg_execution.runId; }
    route GET /by-arguments {
        id  "run $arg_space:${arg_execution}" "$arg_a-$arg_b" ~-(.*) /id;
    }
    route GET /by-argument-and-part { id "$arg_space:${/id}" "job-${/other}"; }

    route GET /flags {
        state    /none;
        present  STARTED  /begun=true;
        present  FINISHED /finished=true;
    }
}

map $request_body $batch_starts {
    default            0;
    ~"method":"start"  1;
}

webhook_api within {
    id         /number;
    execution  "";
    state      /status;
    states     LAUNCHED queued;
    states     FINISHED ~^completed;

    # a build, its jobs and their steps

    route GET ~^/build/\d+$ {
        each       /build;
        state      "${/status} ${/result}" /status;
        goal.name  /app;
        omit       /jobs;
        updated    /done;
    }

    also {
        each       /build/jobs/*;
        id         "${2/number}/${0#}";
        state      /phase;
        states     LAUNCHED waits;
        states     FINISHED ok broken;
        goal.name  "${2/app}: ${/name}";
        omit       /steps /number;
    }

    also {
        each       /build/jobs/*/steps/*;
        require    /kind deploy;
        id         /deployment;
        execution  /deployment;
        state      $http_x_deployed;
        states     STARTED 0;
        states     FINISHED 1;
    }

    # what launches beside what asks

    route POST /batch when=$batch_starts {
        each     /*/result;
        require  /status;
    }

    also {
        launch;
        each     /*/result;
        require  /status !*;
    }

    route POST /batch { each /*/result; }

    # resources of all kinds in one list

    route GET /resources { each /data /data/*; require /type runs; id /id; }

    also {
        each       /included/*;
        require    /type plans;
        id         /id;
        state      /attributes/phase;
        states     FINISHED finished;
    }
}

webhook_api bodiless {
    id      $asked;
    state   $status;
    states  STARTED 200 404;

    route GET ~^/bodiless/(?<asked>\w+)$ status=200,404 { }
    also { require /error !*; id "$asked.log"; }
}

map $upstream_http_location $created_id {
    ~/jobs/(?<location_id>\w+)$  $location_id;
}

webhook hook {
    url            %%URL_hook%%/;
    events         EXECUTION;
    max_in_flight  1;
}

webhook failed {
    url     %%URL_failed%%/;
    events  EXECUTION;
    match   /execution/conditions/[type=Failed]/status True;
}

log_format  main  '$request_method $request_uri $webhook_events';
access_log  %%TESTDIR%%/access.log main;

server {
    listen  127.0.0.1:%%PORT_0%%;

    location / {
        proxy_pass                 %%URL_api%%;
        proxy_ignore_client_abort  on;
        webhook_observe            field within bodiless;
    }
}

EOF

$t->run();

###############################################################################

# events of one answer: "id EVENT ..."; how many comes from the access log

my $taken = 0;
my @new;

sub events {
	my ($what, $answer, %o) = @_;

	my ($method, $uri) = split / /, $what;

	$api->set($uri => { status => 200,
		(ref $answer ? 'json' : 'body') => $answer,
		%{ $o{answer} || {} } });

	my $before = length $t->access_log();
	$t->request($method, $uri, body => $o{body}, headers => $o{headers} || []);

	my $n;

	wait_for {
		($n) = substr($t->access_log(), $before)
			=~ /^\S+ \S+ (\d+)\n/m;
		return defined $n;
	};

	my @all = $hook->wait_requests($taken + $n);
	@new = map { $_->json } splice @all, $taken;
	$taken += @new;

	return join ' ', map { "$_->{execution}{id} $_->{event}" } @new;
}

# where an execution stands

is(events('GET /by-name', '{"jobs":{"k/1":{"status":"running"},"k7":{"status":'
	. '"queued"},"":{"status":"queued"}}}'), 'k/1 STARTED '
	. 'k7 LAUNCHED', 'ids that are names');
is(events('GET /by-name', '{"jobs":[{"status":"running"}]}'), '0 STARTED',
	'in a list that is the index');
is(events('GET /by-name-alone', '{"jobs":{"k/1":"done","k8":"queued"}}'),
	'k/1 FINISHED k8 LAUNCHED', 'and nothing else but a status');
is(events('GET /by-queue', '{"tenant":5,"project":{"id":6,"name":"p"},"queues":'
	. '{"in-running":{"x":{},"y":{"name":"n"}},"in-queued":{"z":{}}}}'),
	'5.x STARTED 5.y STARTED 5.z LAUNCHED', 'statuses that are names');
is_deeply([ map { $_->{project} } @new ], [ ({ id => 6, name => 'p' }) x 3 ],
	'a member of the document');
is(join(' ', map { $_->{goal}{name} } @new), 'p n p', 'or the element\'s own');
is(join(' ', map { exists $_->{sender} } @new), join(' ', ('') x 3),
	'the document has no name');
is(events('GET /by-text', '{"team":"t","jobs":{"a":{"n":7,"status":"running"},'
	. '"/x":1}}'), '1/7 STARTED', 'a text that begins as a relative pointer');
is("$new[0]{goal}{name} $new[0]{project}{name} $new[0]{execution}{url}",
	'0#a 9/t/x /jobs/a', 'as a name, as one from above, as a pointer');
# of a few groups, each has what belongs to it

{
	my @group = map { my $g = $_; { goal => { id => $g, name => "g$g" },
		project => $g == 2 ? undef : { id => $g, n => 0 }, jobs => [
		map { { id => "$g$_", role => $_, status => 'running',
		n => "n$_", secret => "s$g$_" } } qw/ a b c / ] } } 1 .. 3;

	$_->{jobs} = [ @{ $_->{jobs} }[1, 0, 2] ] for @group;
	$group[1]{jobs} = [ ];

	is(events('GET /by-group', { groups => \@group }), '1b STARTED ' .
		'1a STARTED 1c STARTED 3b STARTED 3a STARTED 3c STARTED', 'of groups');
	is(join(' ', map { my $e = $_; "$e->{goal}{id}:$e->{goal}{name}:"
		. "$e->{project}{id}:$e->{project}{n}:$e->{sender}{id}" } @new),
		'1:g1.0:1:nb:s1a 1:g1.1:1:na:s1a 1:g1.2:1:nc:s1a '
		. '3:g3.0:3:nb:s3a 3:g3.1:3:na:s3a 3:g3.2:3:nc:s3a', 'each what is its');

	$group[2]{goal}{x} = 1;
	is(events('GET /by-group', { groups => \@group }), '3b UPDATED ' .
		'3a UPDATED 3c UPDATED', 'updated above, of one group');
	is(events('GET /by-group', { groups => \@group, x => 1 }), '',
		'nothing new');
	$group[0]{jobs}[0]{n} = 'new';
	is(events('GET /by-group', { groups => \@group }), '1b UPDATED',
		'updated of one');
}

is(events('GET /by-document', { id => 'd1', name => 'n', status => 'running' }),
	'd1 STARTED', 'of no list, from the document itself');
is($new[0]{goal}{name}, 'n', 'a member of it');

{
	my %jobs = map { $_ => { id => $_, status => 'running' } } qw/ env1 env2 /;
	my %good = (code => 'SUCCESS', error => undef, data =>
		{ %jobs, _meta => { id => 'env3', status => 'running' } });

	for ([ { %good, code => 'ERROR' }, 'another code' ],
		[ { %good, error => { id => 1 } }, 'an error' ],
		[ { data => \%jobs }, 'no code' ],
		[ { %good, data => { %jobs, _only => $jobs{env1} } }, 'one beside it' ])
	{
		is(events('GET /envelope', $_->[0]), '', "envelope - $_->[1]");
	}

	is(join(' ', sort map { /\S+ \S+/g } events('GET /envelope', \%good)),
		'env1 STARTED env2 STARTED', 'envelope - all that is required');
	is(events('GET /envelope', { %good, data => [ { id => 'env4', status =>
		'running' } ] }), 'env4 STARTED', 'envelope - an index is a name');
}

{
	my @jobs = map { { id => $_, begun => 1 } } qw/ wd1 wd2 /;

	is(events('GET /whole-done', { done => \0, jobs => \@jobs }),
		'wd1 STARTED wd2 STARTED', 'above - not yet');
	is(events('GET /whole-done', { done => \1, jobs => \@jobs }),
		'wd1 FINISHED wd2 FINISHED', 'above - all');
	is(events('GET /whole-done', { jobs => { a => { id => 'wd3', begun => 1 }
		} }), 'wd3 STARTED', 'above - lacking');
	is(events('GET /whole-done', { jobs => { over => { id => 'wd3' } } }),
		'wd3 FINISHED', 'above - by name');
}

is(events('GET /by-stage', '{"stages":[{"name":"a","jobs":[{}]},{"name":"b",'
	. '"jobs":[{"status":"queued"},{"status":"running"}]}]}'),
	'1.0 LAUNCHED 1.1 STARTED', 'an index of what a member names');
is(events('GET /by-stage', '{"stages":{"[name=b]":{"jobs":{"x":{"status":'
	. '"running"}}}}}'), '[name=b].x STARTED', 'a name that looks like one');

# what "omit" takes out for one line of "each" is there for the others, and no
# execution has it

for (qw/ whole-and-parts parts-and-whole /) {
	my %part = (status => 'running', secret => 's');

	is(join(' ', sort split / (?!S)/, events("GET /$_", { id => "0$_", %part,
		first => { id => "1$_", %part, hidden => 'h', name => 'n' },
		jobs => [ map { { id => "$_", %part, jobs => 1 } } "2$_", "3$_" ] })),
		"0$_ STARTED 1$_ STARTED 2$_ STARTED 3$_ STARTED", $_);
	is(join(' ', map { join ',', sort keys %{ $_->{execution} } }
		sort { $a->{execution}{id} cmp $b->{execution}{id} } @new),
		'first,id,status id,name,status id,status id,status',
		"$_ - what is sent");
	is(join(' ', map { join ',', sort keys %{ $_->{execution}{first} } }
		grep { $_->{execution}{first} } @new), 'id,name,status',
		"$_ - what is sent of a part");
	is(join(' ', map { $_->{goal} ? $_->{goal}{name} : () } @new), 'n',
		"$_ - a part of a member");
}

is(events('POST /parts-or-whole', { id => 'w1', jobs => [ { id => 'w2',
	secret => 's' }, 1, { id => 'w3', x => 'y' } ] }), 'w2 LAUNCHED '
	. 'w3 LAUNCHED w1 LAUNCHED', 'parts and a whole');
is_deeply([ map { $_->{execution} } @new ], [ { id => 'w2', by => 'someone' },
	{ id => 'w3', x => 'y', by => 'someone' }, { id => 'w1', by => 'someone' } ],
	'each with a part of its own');
is(events('POST /part-and-whole', { id => 'w5', item => { id => 'w6',
	secret => 's' } }), 'w6 LAUNCHED w5 LAUNCHED', 'a part and a whole');
is_deeply([ map { $_->{execution} } @new ], [ { id => 'w6', by => 'someone' },
	{ id => 'w5', item => { id => 'w6' }, by => 'someone' } ],
	'what a later line omits');
is(events('POST /parts-or-whole', '', answer => { status => 204 }, headers =>
	[ 'X-Name' => 'w4' ]), 'w4 LAUNCHED', 'no document');

# a text of variables that are all empty is no id, whatever stands between them

my $runs = { status => 'running' };

is(events('GET /by-argument', $runs), '', 'text beside no argument');
is(events('GET /by-argument?execution=', $runs), '', 'beside an empty one');
is(events('GET /by-argument?execution=v1', $runs), 'v1.runId STARTED',
	'beside one that is there');
is(events('GET /by-arguments', $runs), '', 'neither argument');
is(events('GET /by-arguments', { %$runs, id => 'v2' }), 'v2 STARTED',
	'neither, and the next value counts');
is(events('GET /by-arguments?execution=v3', $runs), 'run :v3 STARTED',
	'one of two');
is(events('GET /by-arguments?space=s', $runs), 'run s: STARTED',
	'the other of two');
is(events('GET /by-arguments?b=v4', $runs), 'v4 STARTED',
	'a part of the next');
is(events('GET /by-argument-and-part?space=s', $runs), '',
	'a member must be there, whatever else is');
is(events('GET /by-argument-and-part', { %$runs, id => 'v5' }),
	':v5 STARTED', 'and is enough');
is(events('GET /by-argument-and-part', { %$runs, id => '' }), '',
	'an empty one is none');
is(events('GET /by-argument-and-part', { %$runs, other => 'v6' }),
	'job-v6 STARTED', 'text beside a member');

# launches

is(events('GET /by-get', { id => 1 }), '1 LAUNCHED', 'a launch by GET');
is(events('PUT /by-put', { id => 2 }), '2 LAUNCHED', 'by PUT');
is(events('PATCH /by-patch', { id => 3 }, answer => { status => 202 }),
	'3 LAUNCHED', 'answered 202');
is(events('PATCH /by-patch', { id => 4 }), '', 'and with nothing else');
is(events('POST /no-content/n5', '', answer => { status => 204 }),
	'n5 LAUNCHED', 'answered 204, with the id in the path');
is(events('POST /created', '', answer => { status => 201, headers => {
	Location => 'http://api.example.com/jobs/c6' } }), 'c6 LAUNCHED',
	'answered 201 and nothing, with the id in a header');
is(events('POST /created', '', answer => { status => 201 }), '',
	'without that header');
is(events('POST /array', [ { id => 7 }, 8, '9' ]),
	'7 LAUNCHED 8 LAUNCHED 9 LAUNCHED', 'answered by an array');
is(events('POST /array', [ ]), '', 'an empty one');
like(events('POST /nested', { groups => { a => { jobs => [ { id => 'a1' },
	{ id => 'a2' } ] }, b => { jobs => { x => { id => 'b1' } } } } }),
	qr/^(b1 LAUNCHED )?a1 LAUNCHED a2 LAUNCHED(?(1)| b1 LAUNCHED)$/,
	'lists in an object of objects');
is(events('POST /by-header', {}, headers => [ 'X-Launch' => 1,
	'X-Name' => 'h10' ]), 'h10 LAUNCHED', 'known by a header, named by one');
is(events('POST /by-header', {}, headers => [ 'X-Name' => 'h11' ]), '',
	'without it');

is(events('PUT /by-put', { id => 12, status => 'running' }),
	'12 LAUNCHED 12 STARTED', 'already running');
is(events('PUT /by-put', { id => 13, status => 'done' }),
	'13 LAUNCHED 13 STARTED 13 FINISHED', 'already final');
is($new[0]{execution}{status}, 'done', 'with the document that showed it');

# polls by POST, of the same path as other things

is(events('POST /query', { id => 12, status => 'failed' },
	body => '{"action":"delete"}'), '', 'another request body');
is(events('POST /query', { id => 12, status => 'failed' },
	body => '{"action":"describe"}'), '12 FINISHED', 'a poll by POST');

# states that are numbers and booleans

is(events('POST /query', { id => 14, status => 0 },
	body => '{"action":"describe","x":1}'), '14 LAUNCHED', 'a number');
is(events('POST /query', { id => 14, status => 1 },
	body => '{"action":"describe","x":1}'), '14 STARTED', 'another');
is(events('POST /query', { id => 14, status => JSON::PP::true },
	body => '{"action":"describe","x":1}'), '14 FINISHED', 'a boolean');
is(events('GET /flags', { id => 15, finished => JSON::PP::false,
	begun => JSON::PP::true }), '15 STARTED', 'flags');
is(events('GET /flags', { id => 15, finished => JSON::PP::true }),
	'15 FINISHED', 'a flag is set');

# an empty one is none, unless it is named

is(events('GET /empty', { id => 'm6', status => '' }), '', 'an empty text');
is(events('GET /empty', { id => 'm6', status => '', phase => 'running' }),
	'm6 STARTED', 'the next value counts');
is($new[0]{execution}{url}, '/runs/m6', 'a text that begins with a slash');
is(events('GET /empty', { id => 'm6', status => '', phase => '' }), '',
	'both are empty');
is(events('GET /empty-named', { id => 'm7', status => '' }), 'm7 LAUNCHED',
	'one that is named');
is(events('GET /empty-all', { id => 'm8', stages => [ { status => 'done' },
	{ status => '' } ] }), 'm8 STARTED', 'one of several');
is(events('GET /empty-all', { id => 'm8', stages => [ { status => 'done' },
	{ status => 'done' } ] }), 'm8 FINISHED', 'no longer');

# errors that say how it ended, where "status" names them

is(events('GET /gone/e1', { }), 'e1 STARTED', 'it is there');
is(events('GET /gone/e1', { }, answer => { status => 403 }), '',
	'another error says nothing');
is(events('GET /gone/e1', { }, answer => { status => 500 }), '', 'nor that');
is(events('GET /gone/e1', { error => 'no such' }, answer => { status => 404 }),
	'e1 FINISHED', 'it is gone');
is(events('GET /gone/e2', { }, answer => { status => 404 }), '',
	'an unknown one that is gone');
is(events('GET /gone/e3', { }), 'e3 STARTED', 'it is there');
is(events('GET /gone/e3', '<html>', answer => { status => 410 }),
	'e3 FINISHED', 'it is gone, as a page says');
is(events('GET /gone/e4', '<html>'), '', 'a page that is no error');
is(events('GET /early/e9', '', answer => { status => 423 }), 'e9 LAUNCHED',
	'it is locked');
is(events('GET /early/e9', 'not yet', answer => { status => 425 }),
	'e9 STARTED', 'it is too early');
is(events('GET /early/e9', 'down', answer => { status => 503 }), '',
	'what says nothing of it');
is(events('GET /early/e9', 'the result'), 'e9 FINISHED', 'it is there');
# others within, by other rules

sub build {
	my ($status, $done, @jobs) = @_;

	my ($state, $result) = split / /, $status;

	return { build => { number => 7, app => 'shop', status => $state, result =>
		$result, done => $done, jobs => [ map { { name => "job$_", number =>
		5, phase => $jobs[$_], steps => [ { kind =>
		'compile', deployment => 'd9' }, ($jobs[$_] eq 'runs' ? { kind =>
		'deploy', deployment => "d$_" } : ()) ] } } 0 .. $#jobs ] } };
}

my @deploys = (headers => [ 'X-Deployed' => 0 ]);

is(events('GET /build/7', build('queued', 0)), '7 LAUNCHED',
	'none within it yet');
is(events('GET /build/7', build('running', 0, 'waits', 'runs'), @deploys),
	'7 STARTED 7/0 LAUNCHED 7/1 STARTED d1 STARTED', 'a build and its jobs');
is_deeply($new[0]{execution}, { number => 7, app => 'shop', status =>
	'running', result => undef, done => 0, id => 7 },
	'what is omitted of the build');
is_deeply([ @new[2, 3] ], [ { type => 'EXECUTION', event => 'STARTED', execution
	=> { name => 'job1', phase => 'runs', id => '7/1' }, goal => { name =>
	'shop: job1' } }, { type => 'EXECUTION', event => 'STARTED', execution =>
	{ id => 'd1' } } ], 'is read of its jobs');
is(events('GET /build/7', build('running', 0, 'waits', 'runs'), @deploys), '',
	'the same');
is(events('GET /build/7', build('running', 0, 'waits', 'runs'),
	headers => [ 'X-Deployed' => 1 ]), 'd1 FINISHED',
	'a variable of the last alone is another');
is(events('GET /build/7', build('running', 5, 'runs', 'broken'), @deploys),
	'7 UPDATED 7/0 STARTED 7/1 FINISHED d0 STARTED', 'they go on');
is(events('GET /build/8', { build => { status => 'queued', jobs => [] } }), '',
	'nothing to be read');
is(events('GET /build/7', build('completed failed', 9, 'ok', 'broken')),
	'7 FINISHED 7/0 FINISHED', 'they end');
is(events('GET /build/7', build('completed failed', 9, 'ok', 'broken')), '',
	'once');
is(events('POST /batch', [ { result => { number => 'b1' } }, { result =>
	{ number => 'b0', status => 'completed' } }, { error => { } } ],
	body => '[{"method":"start"},{"method":"status"}]'), 'b1 LAUNCHED',
	'one is launched, one was');
is(events('POST /batch', [ { result => { number => 'b1', status => 'runs' } } ],
	body => '[{"method":"status"}]'), 'b1 STARTED', 'and asked for');
is(events('GET /resources', { data => { type => 'runs', id => 'r1', status =>
	'runs', number => 1 }, included => [ { type => 'users', id => 'u1' },
	{ type => 'plans', id => 'p1', number => 1, attributes => { phase => 'x' }
	} ] }), 'r1 STARTED p1 STARTED', 'resources of several kinds');

# percent-encoded here, and there not

my $op = 'p/l=1 ';

is(events('POST /encoded', { ref => '/operations/p%2Fl%3d1%20?x' }),
	"$op LAUNCHED", 'encoded in a path');
is($new[0]{goal}{name}, 'p%2Fl%3d1%20', 'what is not to be decoded');
is(events('GET /operations/p%2Fl=1%20', { status => 'running' }),
	"$op STARTED", 'encoded in the path of a poll');
is(events('GET /operation?op=p%2fl%3D1%20&x=y', { status => 'done' }),
	"$op FINISHED", 'encoded in a query');
is($new[0]{goal}{name}, 'p%2fl%3D1%20', 'as the client wrote it');
is(events('POST /encoded', '', answer => { status => 202, headers => {
	Location => "http://api/operations/a%2Fb" } }), 'a/b LAUNCHED',
	'encoded in a header');
is(events('GET /operation?op=a/b', { status => 'running' }), 'a/b STARTED',
	'not encoded in a query');
is(events('POST /encoded', { }, body => 'x=y&op=a%252Fb+%'),
	'a%2Fb+% LAUNCHED', 'encoded in a body, once');
is(events('POST /encoded', { ref => "/operations/%ff%0Aa" }),
	"\x{fffd}\na LAUNCHED", 'no UTF-8');
is(events('GET /operation?op=a%00b', { status => 'running' }), '',
	'NUL, of a client');
is(events('POST /encoded', { ref => '/operations/a%00b' }), '', 'of the API');
is(events('GET /within/e6', { item => { status => 'running' } }),
	'e6 STARTED', 'within an envelope');
is(events('GET /within/e6', '<html>', answer => { status => 404 }),
	'e6 FINISHED', 'it is gone, and so is the envelope');
is(events('GET /within/e7', { status => 'running' }), 'e7 STARTED',
	'without an envelope');
is(events('GET /within/e7', '', answer => { status => 404 }), 'e7 FINISHED',
	'it is gone without a word');
is(events('GET /within/e8', '', answer => { status => 204 }), 'e8 STARTED',
	'no content');
is(events('GET /bodiless/e1', '', answer => { status => 404 }),
	'e1 STARTED', 'what must not be in a body is not looked for in none');
is(events('GET /bodiless/e1', '{}'), 'e1.log STARTED', 'but in one');
is(events('POST /bare-within', '17'), '17 LAUNCHED',
	'a number that may be within an envelope');
is(events('POST /bare-within', { item => 'e18' }), 'e18 LAUNCHED',
	'a text that is');
is(events('GET /refused', { id => 'e5' }, answer => { status => 202 }),
	'e5 STARTED', 'it runs');
is(events('GET /refused', '<html>', answer => { status => 422 }), '',
	'an error that does not say whose');
is(events('GET /refused', { id => 'e5', code => '000904' },
	answer => { status => 422 }), 'e5 FINISHED', 'it failed');

# a body that is not looked at

my $at = '/report/q1';

is(events('POST /accepted', 'Accepted', answer => { status => 202, headers => {
	Location => "http://api$at", 'Content-Type' => 'text/plain' } }),
	'q1 LAUNCHED', 'text beside the id');
is(events('POST /accepted', '{"id":1}', answer => { status => 202 }), '',
	'no id beside it');
is(events("GET $at", 'later', answer => { status => 202 }), 'q1 STARTED',
	'not yet');
is(events("GET $at", 'soon', answer => { status => 202 }), '', 'nor now');
is(events("GET $at", 'no', answer => { status => 403 }), '',
	'a status that is not named');
is(events("GET $at", undef, answer => { size => 600000, chunked => 1, headers =>
	{ 'Content-Type' => 'application/pdf', 'Content-Encoding' => 'br' } }),
	'q1 FINISHED', 'a large file, in an encoding that is not read');

for my $type ('text/event-stream', 'application/json') {
	my $id = 'q' . length $type;

	is(events("GET /report/$id", '{', answer => { status => 202 }),
		"$id STARTED", "$type - not yet");
	is(events("GET /report/$id", '{"data":', answer => { headers => {
		'Content-Type' => $type } }), "$id FINISHED", "$type - a result");
}

is(events('GET /report/q2', 'later', answer => { status => 202 }), 'q2 STARTED',
	'not yet');
is(events('GET /report/q2', undef, answer => { size => 5000, truncate => 9,
	then => 'close' }), 'q2 FINISHED', 'a result that is cut off');
is(events('GET /report/q3', 'later', answer => { status => 202 }, headers =>
	[ 'Accept-Encoding' => 'br' ]), 'q3 STARTED', 'not yet');
is(($api->requests('/report/q3'))[0]->header('Accept-Encoding'), 'br',
	'what the client may get is as it was');

# a member that is there as long as it runs

is(events('GET /until', { id => 'n1', next => '/until/2' }), 'n1 STARTED',
	'there is more');
is(events('GET /until', { id => 'n1', next => JSON::PP::null }), 'n1 FINISHED',
	'nothing more');
is(events('GET /until', { id => 'n2', next => 1 }), 'n2 STARTED', 'another');
is(events('GET /until', { id => 'n2' }), 'n2 FINISHED', 'it is gone');

# members of lists that are known by a name

sub conditions {
	my ($id, %status) = @_;

	return { id => $id, conditions => [ map { { type => $_,
		status => $status{$_} } } sort keys %status ], labels => [
		{ key => 'secret', value => 's' }, { key => 'a/b', value => 5 } ] };
}

is(events('GET /conditions', conditions('c1', Done => 'False')), '',
	'a condition that does not hold');
is(events('GET /conditions', conditions('c1', Done => 'False',
	Running => 'True')), 'c1 STARTED', 'one that does, of a list');
is_deeply($new[0]{goal}, { name => 5 }, 'a label');
is_deeply($new[0]{execution}{labels}, [ { key => 'a/b', value => 5 } ],
	'another one is omitted');
is(events('GET /conditions', conditions('c1', Failed => 'False',
	Running => 'False', Done => 'Unknown')), '', 'no condition holds');
is(events('GET /conditions', conditions('c1', Failed => 'True',
	Running => 'False', Other => 'True')), 'c1 FINISHED',
	'any of them is enough');
ok($failed->wait_requests(1), 'and what "match" may look at');
is(join(' ', map { "$_->{execution}{id} $_->{event}" } map { $_->json }
	$failed->requests), 'c1 FINISHED', 'it alone');

# an answer that is the id and nothing else

is(events('POST /bare', '4711'), '4711 LAUNCHED', 'a number');
is(events('POST /bare', " \"8a6e-01\"\n"), '8a6e-01 LAUNCHED', 'a string');
is_deeply($new[0]{execution}, { id => '8a6e-01' }, 'all that is known of it');
is(events('POST /bare', "-1"), '-1 LAUNCHED', 'a negative one');
is(events('POST /bare', '"' . 'x' x 100 . '"', answer => { gzip => 1 }),
	'x' x 100 . ' LAUNCHED', 'compressed');
is(events('POST /bare', $_), '', "no id: $_")
	for 'Not Found', 'true', 'null', '""', '12 34', '"x', '{"id":1}', '[1]',
	'018f-x';
is(events('POST /created', '4712'), '', 'where "id" does not say so');

# a part of a value, and a value of parts

is(events('POST /by-ref', { ref => '/refs/r1' }, answer => { status => 202 }),
	'r1 LAUNCHED', 'the last part of a path');
is_deeply($new[0]{execution}, { id => 'r1', ref => '/refs/r1' },
	'the rest is as it was');
is(events('POST /by-ref', '', answer => { status => 201, headers => {
	Location => 'http://api/refs/r2?x' } }), 'r2 LAUNCHED',
	'what a group of a regex takes of a header');
is(events('POST /see-other', '<html>See other</html>', answer => {
	status => 303, headers => { Location => '/jobs/s1',
	'Content-Type' => 'text/html' } }), 's1 LAUNCHED',
	'a redirect, which comes with a page');
is(events('POST /see-other', '<html>See other</html>', answer => {
	status => 303, headers => { Location => '/jobs/' } }), '', 'to nowhere');
is(events('POST /by-ref', { ref => '/refs/' }), '', 'there is none');
is(events('POST /by-ref', { ref => {} }), '', 'nor in an object');

sub part {
	my ($dag, $number, $text, %o) = @_;
	return { dag => $dag, run => { number => $number }, text => $text, %o };
}

is(events('GET /by-parts', part('a', 1, 'running', name => "n\x{fc}",
	goal => { url => 'http://x/goals/77/' })), 'a/1 STARTED', 'two parts');
is_deeply($new[0]{goal}, { id => '77', name => "GET n\x{fc}" },
	'a part of a member, and one of parts');
is(events('GET /by-parts', { runs => [ part('a', 1, 'running 5'),
	part('b', 1, 'running'), part('c', 1, 'queued'), part('c', undef, 'done'),
	part('', 2, 'running') ] }), 'a/1 UPDATED b/1 STARTED c/1 LAUNCHED',
	'each its own, and none where a part is not there');
is(events('GET /by-parts', part('a', 1, 'running as 5')), '',
	'what a regex leaves out is no change');
is(events('GET /by-parts', part('a', 1, 'done.')), 'a/1 FINISHED',
	'a part of a status');

# an id that the document does not call so

is(events('GET /queued', { id => '1', queueId => 41, status => 'running' }),
	'41 STARTED', 'one id, whatever else is called so');
is_deeply($new[0], { type => 'EXECUTION', event => 'STARTED',
	execution => { id => 41, queueId => 41, status => 'running' },
	goal => { name => '1' } }, 'in the place of the other');
is(events('GET /queued', { id => '42', queueId => 42, status => 'running' }),
	'42 STARTED', 'the same as text');
is(JSON::PP->new->encode([ $new[0]{execution}{id} ]), '["42"]',
	'as the document has it');
is(events('GET /queued-own', { id => '7', queueId => 43, status => 'running' }),
	'7 STARTED', 'unless a line says otherwise');

# keys

my %keys = ('job-id' => 'k', '/' => 'slash', '' => 'empty',
	'per-cent' => 1, '$x' => 1, 'x-secret/y' => 's');

is(events('GET /keys', { %keys, 'a/b' => { 'c~d' => { 'e.f' => 'running' } } }),
	'k STARTED', 'hyphens, slashes, tildes and dots');
is_deeply($new[0]{goal}, { id => 'slash', 'my-name' => 'empty' },
	'members of such keys, and of none');
ok(!exists $new[0]{execution}{'x-secret/y'}, 'omitted');
is(events('GET /keys', { %keys, 'per-cent' => 2,
	'a/b' => { 'c~d' => { 'e.f' => 'running' } } }), 'k UPDATED', 'updated');

# runs under an old id

my $uri = '/runs/20';

is(events("GET $uri", { id => 20, status => 'running', run_attempt => 1 }),
	'20 STARTED', 'the first run');
is(events("GET $uri", { id => 20, status => 'done', run_attempt => 1 }),
	'20 FINISHED', 'its end');
is(events("GET $uri", { id => 20, status => 'running', run_attempt => 1 }),
	'', 'nothing follows it');
is(events("GET $uri", { id => 20, status => 'running', run_attempt => 2 }),
	'20 LAUNCHED 20 STARTED', 'a number that has grown');
is(events("GET $uri", { id => 20, status => 'done', run_attempt => 1 }),
	'', 'an answer about the run before');
is(events("GET $uri", { id => 20, status => 'failed', run_attempt => 2 }),
	'20 FINISHED', 'the end of the second one');
is(events("POST $uri/rerun", '', answer => { status => 204 }),
	'20 LAUNCHED', 'run again by a route that says so');
is(events("POST $uri/rerun", '', answer => { status => 204 }), '',
	'while it is not final that means nothing');
is(events("GET $uri", { id => 20, status => 'done', run_attempt => 2 }), '',
	'an answer that still shows the run before');
is(events("GET $uri", { id => 20, status => 'done', run_attempt => 3 }),
	'20 STARTED 20 FINISHED', 'the third one');

# runs that are told by when they were started

sub dated {
	my ($status, $started) = @_;

	return events('GET /dated', { id => 25, status => $status,
		started => $started });
}

is(dated('queued', '0001-01-01T00:00:00Z'), '25 LAUNCHED', 'not yet started');
is(dated('running', '2026-11-28T09:00:00.123456789Z'), '25 STARTED',
	'a date that appears is of the same run');
is(dated('done', '2026-11-28T10:00:00.123+01:00'), '25 FINISHED',
	'the same date, as another zone has it');
is(dated('running', '2026-11-28T08:59:59Z'), '', 'an older one');
is(dated('running', $_), '', 'no date') for 'yesterday', '', { at => 7 };
is(dated('running', '2026-11-28T09:00:01Z'), '25 LAUNCHED 25 STARTED',
	'a later date is of a new run');
is(dated('done', '2026-11-28T09:00:01Z'), '25 FINISHED', 'its end');
is(dated('running', '2026-11-28T10:00:01.500+0100'),
	'25 LAUNCHED 25 STARTED', 'an offset without a colon');
is(dated('done', '2026-11-28T09:00:01.5'), '25 FINISHED', 'or no zone');
is(dated('running', '2026-11-28 09:00:01'), '', 'the same second, but older');
is(dated('running', '2026-11-28 09:00:02'), '25 LAUNCHED 25 STARTED',
	'a later one');
is(dated('running', $_), '', "no date: $_") for '2026-11-28T09:00:03+01:',
	'2026-11-28T09:00:03+1', '2026-11-28T09:00', '2026-11-28T09:00:03 PST',
	'2026-11-28T09:00:03.' . '0' x 40;

# counts

sub counted { events('GET /counted', { id => 'c', done => $_[0], total => 13 }) }

is(counted(0), 'c LAUNCHED', 'none is done');
is(counted(1), 'c STARTED', 'one is, which is not all');
is(counted(13), 'c FINISHED', 'all are');

# a bare scalar, which says nothing of the id

is(events('GET /word/w28', '"running"'), 'w28 STARTED', 'a bare word');
is_deeply($new[0]{execution}, { id => 'w28' }, 'is no id');
is(events('GET /done/n5', 'false'), 'n5 STARTED', 'a bare boolean');
is(events('GET /done/n5', 'true'), 'n5 FINISHED', 'another one');
is(events('GET /done/n5', 'tru'), '', 'no JSON');
is(events('GET /percent/n6', '5'), 'n6 STARTED', 'a bare number');
is(events('GET /percent/n6', '6'), 'n6 UPDATED', 'it has changed');
is_deeply($new[0]{execution}, { id => 'n6' }, 'and is no id');

# as others write dates: Oozie and Flask, Ruby, PostgreSQL, Java

my $minute = 10;

for my $as ('Sat, 28 Nov 2026 09:%s:00 GMT', '2026-11-28 09:%s:00 UTC',
	'2026-11-28 11:%s:00 +0200', '2026-11-28 09:%s:00.5+00',
	'2026-11-28T04:%s:00.25-05:00[America/New_York]',
	'2026-11-28T09:%s:00Z[UTC]')
{
	my $date = sprintf $as, $minute++;

	is(dated('running', $date), '25 LAUNCHED 25 STARTED', "later: $date");
	is(dated('done', $date), '25 FINISHED', "the same: $date");
}

is(dated('running', 'Thu, 01 Jan 1970 00:00:00 GMT'), '', 'none, as HTTP has it');
is(dated('running', '28.11.2026 12:00:00'), '', 'nothing that is known');

# or ended

is(events('GET /ended', { id => 27, status => 'running', ended => 0 }),
	'27 STARTED', 'no seconds yet');
is(events('GET /ended', { id => 27, status => 'done', ended => 1795860000 }),
	'27 FINISHED', 'seconds');
is(events('GET /ended', { id => 28, status => 'running', ended =>
	'1970-01-01T00:00:00Z' }), '28 STARTED', 'no date yet');
is(events('GET /ended', { id => 28, status => 'done', ended =>
	'2026-11-28T09:00:00Z' }), '28 FINISHED', 'a date');

# or by seconds with a fraction, which may be absent

sub seconds {
	my ($status, $started) = @_;

	return events('GET /dated', sprintf('{"id":26,"status":"%s",'
		. '"started":%s}', $status, $started));
}

is(seconds('running', '1795860000.25'), '26 STARTED', 'a fraction');
is(seconds('done', '1795860000.25'), '26 FINISHED', 'the same');
is(seconds('running', '1795860000'), '', 'of it the whole part counts');
is(seconds('running', '1795859999.75'), '', 'less');
is(seconds('running', '1795860001.0'), '26 LAUNCHED 26 STARTED', 'more');
is(seconds('done', '"1795860001.125"'), '26 FINISHED', 'as text');
is(seconds('running', '"1795860002."'), '', 'no number');
is(seconds('running', '"1795860002.1.2"'), '', 'nor this');
is(seconds('running', '1795860002'), '26 LAUNCHED 26 STARTED', 'whole ones');

# aggregates over all elements of nested lists

sub jobs { { groups => [ map { { jobs => [ map { { status => $_ } } @$_ ] } }
	@_ ] } }

is(events('GET /all', { id => 30, %{ jobs(['queued'], ['queued']) } }),
	'30 LAUNCHED', 'all wait');
is(events('GET /all', { id => 30, %{ jobs(['queued', 'running'], ['queued']) }
	}), '30 STARTED', 'one runs');
is(events('GET /all', { id => 30, %{ jobs(['done', 'failed'], ['queued']) }
	}), '', 'one still waits');
is(events('GET /all', { id => 30, %{ jobs(['done', 'failed'], ['done']) } }),
	'30 FINISHED', 'all are final');
is(events('GET /all', { id => 31, groups => [ { ended => 1 }, { } ] }),
	'31 STARTED', 'some have a date');
is(events('GET /all', { id => 31, groups => [ { ended => 1 }, { ended => 2 } ]
	}), '31 FINISHED', 'all have');

# lists that are not quite what they seem

is(events('GET /all', { id => 32, groups => [ { jobs => [] } ] }), '',
	'no element is not all elements');

# of several texts that fit the first counts

is(events('GET /first', { id => 40, status => 'failing' }), '40 STARTED',
	'the first text that fits');
is(events('GET /first', { id => 40, status => 'failed' }), '40 FINISHED',
	'the next one');

$t->done();

###############################################################################
