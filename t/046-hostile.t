#!/usr/bin/perl

# Documents made to hurt: each costs no more than some times the CPU time of a
# harmless one of the same size, and memory in proportion; the client gets them
# as they are.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my $size = 1_000_000;

my $t = WebhookTest->new(workers => 1);
my $up = $t->upstream('up');
my $r = $t->receiver('r');

$t->http_config(<<'EOF');

webhook_zone zone=webhooks:8m;
webhook_buffer_size 1100k total=32m;

webhook_api jobs {
    id         /id;
    execution  "";
    omit       /x/*/*/secret;
    state      /status /x/*/status;
    states     FINISHED "~^(a+)+$" "~^(\w|a|aa)*x$" done;
    present    STARTED "/start=~^(a+)+$";
    updated    /x/*/y;

    route GET /one/* { }
    route GET /each/* { each /x/*; id /id ""; require /status "!~^(a|a)*$" *; }
    route GET /above/* { each /x/*; goal 2/y; }
    route GET /asked/* { each /x/*; enrich project /project; }

    route GET /lines/* {
        each    /x/*;
        enrich  goal.name     /goal;
        enrich  goal.url      /goal;
        enrich  project.name  /goal;
        enrich  project.url   /goal;
    }
}

log_format  main  '$request_uri $webhook_events';
access_log  %%TESTDIR%%/access.log main;

server {
    listen 127.0.0.1:%%PORT_0%%;

    large_client_header_buffers  4 32k;

    location / {
        proxy_pass       %%URL_up%%;
        proxy_buffers    64 32k;
        webhook_observe  jobs;

        webhook w {
            url     %%URL_r%%/;
            events  EXECUTION;
            match   /execution/status "!~^(a+)+$";
        }
    }

    location /status/ { webhook_status; }
}

EOF

$t->run();

my ($pid) = $t->worker_pids();

###############################################################################

# text repeated to the size, between two others

sub filled {
	my ($before, $part, $after) = @_;

	my $n = int(($size - length($before) - length($after)) / length $part);

	return $before . $part x $n . $after;
}

my ($n, $benign) = 0;
my $runs = 'a' x 4000 . '!';
my $item = '{"id":%d,"name":"a job","status":"running","y":[1,2.5,true,null]},';

my %body = (
	benign => filled('{"id":"benign","status":"running","x":[',
		sprintf($item, 12345), '{}]}'),

	'lists in lists' => filled('', '[', ''),
	'objects in objects' => filled('', '{"x":', ''),
	'lists, closed' => '[' x ($size / 2) . ']' x ($size / 2),
	'brackets' => filled('[', '[],', '[]]'),
	'braces' => filled('{"id":1,"x":[', '{},', '{}]}'),
	'deep, and wide' => filled('{"id":1,"x":[', '[[[[[[[[]]]]]]]],',
		'[]]}'),
	'closing' => filled('', ']', ''),
	'a number' => filled('{"id":1,"x":', '9', '}'),
	'a fraction' => filled('{"id":1,"x":0.', '1', '}'),
	'an exponent' => '{"id":1,"x":1e' . '9' x ($size - 20) . '}',
	'numbers' => filled('{"id":1,"x":[', '1e308,', '1]}'),
	'small numbers' => filled('{"id":1,"x":[', '5e-324,', '1]}'),
	'long numbers' => filled('{"id":1,"x":[',
		'1.2345678901234567e-200,', '1]}'),
	'bad UTF-8' => filled('{"id":1,"x":"', "\xff", '"}'),
	'overlong UTF-8' => filled('{"id":1,"x":"', "\xc0\x80", '"}'),
	'surrogates' => filled('{"id":1,"x":"', '\ud800', '"}'),
	'pairs of surrogates' => filled('{"id":1,"x":"', '\ud83d\ude00', '"}'),
	'escapes' => filled('{"id":1,"x":"', '\u0001', '"}'),
	'NUL' => filled('{"id":1,"x":"', '\u0000', '"}'),
	'duplicate keys' => filled('{"id":1,', '"a":1,', '"a":1}'),
	'a duplicate id' => filled('{', '"id":1,', '"status":"running"}'),
	'many keys' => '{"id":1' . join('', map { qq(,"k$_":$_) } 1 .. 58000)
		. '}',
	'a key' => filled('{"id":1,"', 'k', '":1}'),
	'an id' => filled('{"status":"running","id":"', 'i', '"}'),
	'white space' => filled('{"id":1,', ' ', '"status":"running"}'),

	'a status' => filled('{"id":1,"status":"', 'a', '!"}'),
	'statuses' => '{"id":1,"x":[' . join(',', map { qq({"status":"$runs"}) }
		1 .. 240) . ']}',
	'a date' => filled('{"id":1,"start":"', 'a', '!"}'),
	'elements' => '{"x":[' . join(',', map {
		qq({"id":$_,"status":"$runs"}) } 1 .. 240) . ']}',
	'many elements' => '{"x":[' . join(',', map { $_ . 'x' x 10 =~ s/x/0/gr }
		1 .. 60000) . ']}',
);

###############################################################################

# CPU time of the worker, ms, and the most memory it had, KB

sub cpu {
	return $1 / 1e6 if read_file("/proc/$pid/schedstat") =~ /^(\d+)/ && $1;

	my @stat = split ' ', read_file("/proc/$pid/stat") =~ s/^.*\) //r;
	return 10 * ($stat[11] + $stat[12]);
}

sub most {
	return read_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m ? $1 : 0;
}

sub cost {
	my ($name, $path, %o) = @_;

	my $uri = "/$path/" . ++$n;

	$t->file("body$n", $body{$name});
	$up->set($uri => { file => $t->dir() . "/body$n",
		headers => { 'Content-Type' => 'application/json' } });

	my $before = cpu();
	my $got = $t->see('GET', $uri, %o)->body;

	is(length $got, length $body{$name}, "$name, $path - whole")
		and ok($got eq $body{$name}, "$name, $path - as it was");

	return cpu() - $before;
}

sub limited {
	my ($name, $path) = @_;
	my $ms = cost($name, $path);

	cmp_ok($ms, '<', 10 * $benign + 20, sprintf
		'%s, %s - %.1f times the time', $name, $path, $ms / $benign);
}

# the first one meets cold memory

cost('benign', 'one');

$benign = cost('benign', 'one');
my $most = most();

for my $name (sort grep { $_ ne 'benign' } keys %body) {
	for my $path ('one', 'each') {
		limited($name, $path);
	}
}

# an event each, with all that stands above

$body{above} = filled('{"x":[' . join(',', map {
	qq({"id":"above $_","status":"running"}) } 1 .. 1000) . '],"y":{"z":[',
	'1.2345678901234567e-200,', '1]}}');

limited('above', 'above');

# and with an answer to "enrich": the first time it is waited for, then kept

$t->file('project', '{"z":[' . '1.2345678901234567e-200,' x 1500 . '1]}');
$up->set('/project' => { file => $t->dir() . '/project',
	headers => { 'Content-Type' => 'application/json' } });

for my $time (1, 2) {
	$body{"asked $time"} = '{"x":[' . join(',', map {
		qq({"id":"asked $time $_","status":"running"}) } 1 .. 1000) . ']}';

	my $before = cpu();

	cost("asked $time", 'asked');

	my $reason = $time == 1 ? 'not enriched' : 'total';

	ok(wait_for { grep { $_->{path} =~ m!^/(?:asked|project)!
		&& $_->{reason} eq $reason }
		@{ $t->get('/status/observed')->json()->{observed} } },
		"asked $time - said");

	my $ms = cpu() - $before;

	cmp_ok($ms, '<', 10 * $benign + 20, sprintf
		'asked %s - %.1f times the time', $time, $ms / $benign);
}

cmp_ok(most(), '<', 4 * $most + 50_000, sprintf
	'%.1f times the memory', most() / $most);

# who asks is the same for all of one answer, however much tells callers apart

$up->set('/goal' => { json => {} });

my %caller;

for my $cookies ('short', 'long', 'short', 'long') {
	my $name = "cookies $cookies " . ++$caller{$cookies};

	$body{$name} = '{"x":[' . join(',', map {
		qq({"id":"$name $_","status":"running"}) } 1 .. 1000) . ']}';

	$caller{"$cookies ms"} = cost($name, 'lines', headers =>
		[ Cookie => 'a=' . 'b' x ($cookies eq 'long' ? 28000 : 10) ]);
}

cmp_ok($caller{'long ms'}, '<', 3 * $caller{'short ms'} + 20, sprintf
	'lines, long cookies - %.1f times the time',
	$caller{'long ms'} / $caller{'short ms'});

note(sprintf '%.1f ms, %d KB for a harmless one', $benign, $most);

is(join(' ', $t->worker_pids()), $pid, 'the worker lives');

$t->done();

###############################################################################
