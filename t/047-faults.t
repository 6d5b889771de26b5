#!/usr/bin/perl

# Allocations and system calls of the module that fail, each of them once: the
# client's response is what the API answered, no worker dies, what is lost is
# counted and said, and then all goes on as before.

###############################################################################

use warnings;
use strict;

use Compress::Zlib ();
use Test::More;

use WebhookTest;
use WebhookTest::Faults;
use WebhookTest::Store;

###############################################################################

WebhookTest::Faults::available()
	or plan skip_all => 'neither under a sanitizer nor linked in';

my $t = WebhookTest->new(workers => 1);
my $f = WebhookTest::Faults->new($t);
my $up = $t->upstream('up');
my $r = $t->receiver('ci');

$t->http_config(<<'CONF');

webhook_zone zone=webhooks:2m;

webhook_defaults {
    events  EXECUTION;
    secret  "a secret of at least 24 bytes";
    retry   100ms 100ms 100ms 100ms;
    timeout 3s;
}

webhook_api test {
    id            /id;
    execution     "";
    omit          /bulk;
    goal.name     "$arg_n-${/progress}";
    project.list  /list/*;
    state         /status ~^\w+;
    states        LAUNCHED queued;
    updated       /progress;
    route POST /jobs { launch; }
    route GET /jobs { }
    route POST /also { launch; }
    also { launch; each /also; goal.name /name ~%.+; }
    route POST /via { launch; }
    route POST /rich { launch;
        enrich goal.id /goals/$webhook_execution pointer=/id ttl=0; }
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    proxy_ignore_client_abort on;

    location / {
        webhook_observe test;
        proxy_pass %%URL_up%%;

        webhook ci { url %%URL_ci%%/ci; header X-Id $request_id; }
    }

    location = /via {
        webhook_observe test;
        proxy_pass %%URL_up%%;

        webhook via { url %%URL_ci%%/ci; via @via;
            signature standard github stripe virtuoso; }
    }

    location @via {
        proxy_pass %%URL_ci%%;
        include %%CONF%%/webhook/via.conf;
    }

    location /hooks/ { webhook_status write=on; }
    location /up { return 204; }
}

CONF

# what is made to fail is said by nginx, and by libraries' callers

$t->allow(qr/\((?:12|23|24|28|37|101|105): /);
$t->allow(qr/this worker (?:cannot|finds)|curl_\w+_init\(\) failed/);
$t->run();

my ($pid) = $t->worker_pids();
my $id = 0;

sub hook { json($t->get('/hooks/hooks/' . ($_[0] || 'ci'))->body()) }

sub idle {
	my $h = hook($_[0]);

	return !$h->{waiting} && !$h->{in_flight};
}

sub fds { scalar(my @f = glob "/proc/$pid/fd/*") }

sub lost {
	my ($n) = $t->get('/hooks/metrics')->body()
		=~ /^nginx_webhook_observations_total\{reason="total"\} (\d+)/m;

	return $n;
}

# what has come to the receiver

my (%arrived, $looked, $leaks);

sub arrived {
	my ($name) = @_;

	my @requests = $r->requests();

	for (@requests[$looked || 0 .. $#requests]) {
		$arrived{$1} = 1 if $_->body() =~ /"execution":\{"id":"(\w+)"/;
		$leaks++ if $_->body() =~ /s3cr3t/;
	}

	$looked = @requests;

	return $arrived{$name};
}

# the same, and what "also" finds beside it

sub told {
	my ($name, %o) = @_;

	return arrived($name) && (!$o{also} || arrived($name . 'also'));
}

# one launch; what the client got, in one text

sub launch {
	my ($name, %o) = @_;

	my $path = $o{path} || '/jobs';

	$up->set($path => { gzip => $o{gzip}, chunked => $o{chunked},
		headers => { 'Content-Type' => 'application/json' },
		body => qq({"id":"$name","status":"queued","bulk":"s3cr3t",)
			. '"progress":1,"list":[1,{"a":"b"}],"t":"\u00e4"'
			. ($o{also} ? qq(,"also":{"id":"${name}also","name":"%41"}) : '')
			. '}' });

	my $got = $t->see('POST', "$path?n=x", body => '{}',
		headers => $o{headers}) or return '';
	my @headers = map { "$_->[0]: $_->[1]" }
		grep { $_->[0] !~ /^(Date|Content-Length)$/ } $got->headers();
	my $body = $got->body();

	$body = Compress::Zlib::memGunzip($body) if $o{gzip};
	$body =~ s/"$name(?:also)?"/""/g;

	return join "\n", $got->status, $got->complete, @headers, $body;
}

# the first call fails, then the second, and so on until there are no more

sub series {
	my ($what, $kinds, %o) = @_;

	my ($n, @names) = 0;
	my ($like, $wrong) = (launch($what . 'first', %o), 0);

	ok(wait_for(sub { told($what . 'first', %o) }), "$what: works");

	my ($lost, $fds) = (lost(), fds());

	$t->mark_log();

	for (;;) {
		my $name = $what . ++$n;
		my ($counted, $still) = (-1, 0);

		push @names, $name;
		$o{before}->() if $o{before};

		$f->arm(pid => $pid, kinds => $kinds, nth => $n);
		$wrong++ if launch($name, %o) ne $like;

		wait_for {
			return 1 if $f->failed();

			$still = $counted == $f->counted() && told($name, %o)
				? $still + 1 : 0;
			$counted = $f->counted();

			return $still > 3;
		};

		last if !$f->failed() || !$t->alive($pid);
	}

	$f->disarm();
	note("$what: $n");

	cmp_ok($n, '>', $o{calls}, "$what: many");
	ok($t->alive($pid), "$what: the worker lives") or ($pid) =
		wait_for { $t->worker_pids() } && $t->worker_pids();
	is($wrong, 0, "$what: all clients have their answers");

	launch($what . 'last', %o);
	ok(wait_for(sub { told($what . 'last', %o) }), "$what: all is well again");

	ok(wait_for(sub { idle($o{hook}) }), "$what: nothing waits");

	my @missing = grep { !told($_, %o) } @names;

	is(lost() - $lost, @missing, "$what: what is lost is counted");
	is(!$t->grep_log(qr/has lost its events: no memory/), !@missing,
		"$what: and said") if $kinds == ALLOC;

	is($leaks, undef, "$what: nothing is sent that was to be left out");

	# libcurl sees that connections are closed when it wants another one

	my $i = 0;

	$r->close_all();
	ok(wait_for(sub {
		launch($what . 'close' . ++$i, %o, path => undef);
		wait_for { fds() <= $fds } 0.5
	}), "$what: no descriptor is left") or diag(fds() . " after $fds");
}

###############################################################################

# what any worker does once

launch($_, gzip => JSON::PP::true) for qw/ 1 2 3 /;
ok(wait_for(sub { arrived(3) }), 'works');

series('plain', ALLOC, calls => 60);
series('gzip', ALLOC, calls => 60, gzip => JSON::PP::true,
	headers => [ 'Accept-Encoding' => 'gzip' ]);

series('also', ALLOC, calls => 80, path => '/also', also => 1);
series('via', ALLOC, calls => 50, path => '/via', hook => 'via');

my $close = sub {
	$r->close_all();
	wait_for { !$t->connected($r->port()) };
};

series('connect', ALLOC, calls => 50, before => $close);
series('system', SYSCALL, calls => 3, before => $close);

# a socket that cannot be looked at is not another one; what is still under way
# would leave a connection open

for (1 .. 3) {
	wait_for { idle() };
	$close->();
	$f->arm(pid => $pid, kinds => SYSCALL, nth => 2, only => 'fstat64');
	launch("fstat$_");
	ok(wait_for(sub { arrived("fstat$_") && $f->failed() }), "fstat: $_");

	$f->disarm();
	launch("fstat${_}next");
	ok(wait_for(sub { arrived("fstat${_}next") }), 'fstat: all is well again');
}

###############################################################################

# nothing has changed of what UPDATED is for

my $polls = 0;

for (1 .. 500) {
	$up->set('/jobs' => { json => { id => 'poll', status => 'x',
		progress => 1, at => ++$polls } });

	$f->arm(pid => $pid, kinds => ALLOC, nth => $_ - 2) if $_ > 2;
	$t->see('GET', '/jobs');

	last if $_ > 2 && !$f->failed();
}

$f->disarm();

cmp_ok($polls, '>', 15, "polls: $polls");
launch('behind');
ok(wait_for(sub { arrived('behind') }), 'polls: all is well again');
is(scalar(grep { $_->header('X-Webhook-Event') eq 'UPDATED' } $r->requests()),
	0, 'polls: no event that did not happen');

###############################################################################

# what enrich asks for: an event has it, or it is counted that it has not

sub unknown {
	my ($n) = $t->get('/hooks/metrics')->body()
		=~ /^nginx_webhook_enrichments_total\{result="failed"\} (\d+)/m;

	return $n;
}

$up->set('*' => { json => { id => 'known' } });
$t->mark_log();

my ($n, $without, @rich) = (0, lost() + unknown());

for (;;) {
	my $name = 'rich' . ++$n;

	$up->set('/rich' => { body => qq({"id":"$name","status":"queued",)
		. '"progress":1}' });
	$f->arm(pid => $pid, kinds => ALLOC, nth => $n);
	$t->post('/rich', '{}');

	wait_for { $f->failed() || arrived($name) };
	last unless $f->failed();

	push @rich, $name;
}

$f->disarm();

cmp_ok($n, '>', 60, "enrich: $n");
ok(wait_for(sub { idle() }),
	'enrich: nothing waits');
arrived('');

my %known = map { /"execution":\{"id":"(\w+)".*"id":"known"/ ? ($1 => 1) : () }
	map { $_->body() } $r->requests();

cmp_ok(lost() + unknown() - $without, '>=', scalar(grep { !$known{$_} } @rich),
	'enrich: what is lacking is counted');
ok($t->grep_log(qr/webhook enrich: .*: no memory$/), 'enrich: and said');

###############################################################################

# a worker that begins: nginx would not start another one for one that gives up

my ($begun, $like, @started) = (0, launch('begins'));

ok(wait_for(sub { arrived('begins') }), 'begins: works');

for (;;) {
	$f->arm(kinds => ALLOC | SYSCALL, nth => ++$begun);
	$t->kill_worker($pid, 'KILL');
	($pid) = wait_for { $t->worker_pids() } && $t->worker_pids() or last;

	wait_for { $t->get('/up') };
	last unless $f->failed();

	push @started, $f->where() if launch("begun$begun") ne $like;
}

$f->disarm();

cmp_ok($begun, '>', 20, "begins: $begun");
ok($pid, 'begins: the worker lives');
is(join("\n", @started), '', 'begins: all clients have their answers');

$t->kill_worker($pid, 'KILL');
($pid) = wait_for { $t->worker_pids() } && $t->worker_pids();
launch('begunlast');
ok(wait_for(sub { arrived('begunlast') }), 'begins: all is well again');

my @lost;

wait_for { !(@lost = grep { !arrived("begun$_") } 1 .. $begun - 1) };
is("@lost", '', 'begins: nothing is lost');

# one that finds a delivery, and no memory for the webhook's keys

$t->allow(qr/keys could not be prepared/);
$t->mark_log();

my $keys;

for (1 .. 20) {
	$keys = "keys$_";

	$r->set('/ci' => { hold => 1 });
	launch($keys);
	wait_for { hook()->{in_flight} };
	$r->set('/ci' => { status => 204 });

	$f->arm(kinds => ALLOC, nth => $_, only => 'calloc');
	$t->kill_worker($pid, 'KILL');
	($pid) = wait_for { $t->worker_pids() } && $t->worker_pids();

	wait_for { !hook()->{in_flight} && !hook()->{waiting} } 2;
	last if $t->grep_log(qr/keys could not be prepared/);
}

ok($t->grep_log(qr/keys could not be prepared/), 'keys: no memory');
ok(wait_for(sub { idle() }),
	'keys: it is sent all the same');

$f->disarm();

###############################################################################

# nginx -t

my ($configs, @silent) = 0;

for (1 .. 120) {
	$f->arm(kinds => ALLOC, nth => $_, only => 'calloc');

	my ($ok, $said) = $t->test_config(<<'CONF');

webhook_zone zone=webhooks:1m;
webhook_api a { id /id; execution ""; route GET /x { } }

server {
    listen 127.0.0.1:%%PORT_1%%;
    location / {
        webhook_observe a;
        webhook ci { url https://localhost/x; proxy http://localhost:1;
            member project.id 5; }
    }
}

CONF

	last unless $f->failed();

	$configs++;
	push @silent, $f->where() if !$ok && $said !~ /\[emerg\]/;
}

$f->disarm();

cmp_ok($configs, '>', 1, "nginx -t: $configs");
is(join("\n", @silent), '', 'nginx -t: says why');

###############################################################################

# the status endpoint: an answer that is right, or one that says that it is not

my ($uuid) = $t->get('/hooks/deliveries?limit=1')->body() =~ /"uuid":"([^"]+)/;

for my $it (
	[ GET => '/hooks/hooks' ], [ GET => '/hooks/metrics' ],
	[ GET => '/hooks/deliveries' ], [ GET => "/hooks/deliveries/$uuid" ],
	[ GET => '/hooks/observed' ], [ GET => '/hooks/hooks/ci' ],
	[ POST => '/hooks/hooks/ci/pause' ], [ POST => '/hooks/hooks/ci/resume' ],
	[ GET => '/hooks/deliveries?h%6Fok=ci&limit=%31' ],
	[ POST => '/hooks/try?api=test&method=POST&uri=/also&hook=ci&body=x',
		'{"id":1,"status":"queued","progress":1,"list":[1],"also":{"id":2}}' ])
{
	my ($method, $uri, $body) = @$it;
	my ($n, $like, $bad) = (0, undef, '');
	my $all = $t->request($method, $uri, body => $body || '',
		headers => [ 'X-Webhook-Write' => 1 ])->body();

	for (;;) {
		$f->arm(pid => $pid, kinds => ALLOC, nth => $n++);

		my $got = $t->request($method, $uri, body => $body || '',
			headers => [ 'X-Webhook-Write' => 1 ]);

		$f->disarm();

		if (!$got || !$got->complete()) {
			$bad = "$n: no answer";

		} elsif ($got->status() < 500 && !($like ||= $got->status())) {
			$bad = "$n: status";

		} elsif ($got->status() == 200 && $uri !~ /metrics/) {
			$bad = "$n: no JSON: " . $got->body()
				unless eval { json($got->body()) };

			# of what is tried it says so if it is not all

			$bad ||= "$n: " . $got->body() if $uri =~ /try/
				&& $got->body() ne $all && $got->body() !~ /"reason":"total"/;
		}

		last if $bad || $n > 1 && !$f->failed();
	}

	cmp_ok($n, '>', 2, "$method $uri: $n");
	is($bad, '', "$method $uri: answers");
	ok($t->alive($pid), "$method $uri: the worker lives");
}

$t->done(more => 1);

###############################################################################

# the store: what its file cannot be asked or given for a moment costs nothing

SKIP: {
	skip 'built without webhook_store', 1 unless store_available();

	my $s = WebhookTest::Store->new(workers => 1);

	($t, $up, $r) = @$s{qw/ t up r /};
	$f = WebhookTest::Faults->new($t);
	$t->run();
	($pid) = $t->worker_pids();

	my $n = 0;

	for my $call (qw/ stat64 pwrite64 fdatasync /) {
		my @names;

		for (1 .. 3) {
			push @names, 'e' . ++$n;

			$f->arm(pid => $pid, kinds => SYSCALL, nth => $_, only => $call);
			$s->status($names[-1], 'queued', launch => 1);

			last unless wait_for(sub { $f->failed() }, 5);
		}

		$f->disarm();

		cmp_ok(scalar @names, '>', 1, "$call: fails");
		ok(wait_for(sub { ($s->sql('SELECT count(*) FROM states') || 0) == $n },
			30), "$call: all is stored in the end");
	}

	# what SQLite takes for damage, when a read fails

	my $failed = 0;

	for (1 .. 12) {
		$f->arm(kinds => SYSCALL, nth => $_, only => 'pread64');
		$t->kill_worker($pid, 'KILL');
		($pid) = wait_for { $t->worker_pids() } && $t->worker_pids();

		$s->status('e' . ++$n, 'queued', launch => 1);
		ok(wait_for(sub {
			($s->sql('SELECT count(*) FROM states') || 0) == $n
		}, 30), "pread64 $_: all is stored");

		$failed++ if $f->failed();
	}

	$f->disarm();
	cmp_ok($failed, '>', 3, "pread64: fails, $failed times");

	is(scalar(my @aside = glob "$s->{dir}/*damaged*"), 0, 'nothing is set aside');
	ok($t->alive($pid), 'the worker lives');
	ok(wait_for(sub { $r->requests() >= $n }), 'all is sent');

	$t->done(more => 1);
}

done_testing();

###############################################################################
