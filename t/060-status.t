#!/usr/bin/perl

# The status endpoint: every path, parameter and error; pages that stay while
# deliveries come; and not one secret in a byte of what it says.

###############################################################################

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 decode_base64 /;
use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 2);

my $up = $t->upstream('up');
my $r = $t->receiver('ci');
my $echo = $t->receiver('echo');
my $held = $t->receiver('held', fallback => { status => 200, hold => 1,
	body => 'H3ldBodyOfAWebhookThatIsGone' });
my $bad = $t->receiver('bad', fallback => { status => 500,
	headers => { 'X-Why' => 'because' }, body => 'no' });

my @secrets = qw/ S1gningSecretSigningSecretXX Fil3HeaderValue
	Qu3ryValue Us3rinfoPassword Auth0rizationValue C00kieValue
	Hidd3nPathOfTheUrl T0kenOfVariable Rec3iverCookie Rec3iverToken
	Cl1entPassword /;

my $seed = 'Ed25519SeedEd25519SeedEd25519See';
my $ed = encode_base64($seed, '');

push @secrets, $seed, $ed, encode_base64('user:Us3rinfoPassword', '');

$t->file('header', "Fil3HeaderValue\n");
$t->file('url', $r->url('/Hidd3nPathOfTheUrl') . "\n");

my $closed = $t->port('closed');

$t->http_config(<<EOF);

webhook_zone zone=webhooks:8m body=1k;

webhook_api jobs {
    id /id;
    execution "";
    state /status;
    states LAUNCHED queued;
    states STARTED running;
    states FINISHED done;

    route POST /api/jobs { launch; }
    route POST /api/batch { launch; each /jobs/*; }
    route POST /held/batch { launch; each /jobs/*; }
    route GET /api/jobs/* { }
}

webhook_defaults {
    retry off;
    events EXECUTION;
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location /api/ {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe jobs;

        webhook ci {
            url http://user:Us3rinfoPassword\@%%HOST_ci%%/hook?token=Qu3ryValue&v=;
            secret S1gningSecretSigningSecretXX;
            header X-Key file:%%TESTDIR%%/header;
            header Authorization "Bearer Auth0rizationValue";
            header Cookie session=C00kieValue;
            header X-Variable \$http_x_secret;
            header X-Plain plain;
            description "caf\xc3\xa9 \\"<b>\\"";
            events PING EXECUTION;
            max_in_flight 3;
            queue 77;
        }
    }

    location /echo/ {
        webhook echo {
            url http://user:Us3rinfoPassword\@%%HOST_echo%%/?token=Qu3ryValue;
            secret S1gningSecretSigningSecretXX;
            secret whsk_$ed;
            signature standard github;
            header X-Key file:%%TESTDIR%%/header;
            content_type application/x-www-form-urlencoded;
        }

        webhook hidden {
            url file:%%TESTDIR%%/url;
            active off;
            events FINISHED PING;
            signature none;
        }

        webhook down {
            url http://127.0.0.1:$closed/;
        }

        webhook bad {
            url %%URL_bad%%/;
            retry 50ms 50ms 1h;
        }
    }
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name held;

    location /held/ {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe jobs;

        webhook held {
            url %%URL_held%%/;
            queue 2500;
            max_in_flight 1;
            timeout 2m;
        }

        webhook tiny {
            url %%URL_held%%/;
            queue 1;
            max_in_flight 1;
            events PING;
            timeout 2m;
        }
    }
}

server {
    listen 127.0.0.1:%%PORT_1%%;
    server_name status.localhost;

    location / {
        webhook_status write=on;
    }

    location /read {
        webhook_status;
    }

    location /deep/er/ {
        webhook_status write=off;
    }

    location /guarded/ {
        webhook_status;
        deny all;
    }
}

EOF

$t->run();

###############################################################################

# everything that was ever answered

my $all = '';

sub ask {
	my ($method, $uri, %o) = @_;

	my $response = $t->request($method, $uri, port => 1,
		host => 'status.localhost', %o);

	$all .= join("\n", $response->{line},
		map { "$_->[0]: $_->[1]" } $response->headers())
		. "\n" . $response->body . "\n";

	return $response;
}

sub show { ask('GET', @_) }

sub action {
	my ($uri, @headers) = @_;

	return ask('POST', $uri, body => '',
		headers => [ 'X-Webhook-Write' => 1, @headers ]);
}

# "/read", "?x=1"

sub check {
	my ($where, @headers) = @_;

	my ($prefix, $args) = ($where || '') =~ /^([^?]*)(.*)/;

	return ask('GET', "$prefix/check$args",
		headers => [ 'X-Webhook-Write' => 1, @headers ]);
}

sub hook { show("/hooks/$_[0]")->json }
sub delivery { show("/deliveries/$_[0]")->json }
sub list { show("/deliveries?$_[0]")->json->{deliveries} }
sub events { join ' ', map { $_->{event} } @{ list($_[0]) } }
sub count { scalar @{ list($_[0]) } }

sub problem {
	my ($response, $status, $parameter, $name) = @_;

	my $p = eval { $response->json } || {};

	is($response->status, $status, "$name - status");
	is($response->header('content-type'), 'application/problem+json',
		"$name - type");
	is($p->{status}, $status, "$name - status in the document");
	ok($p->{type} && $p->{title} && $p->{detail}, "$name - members");
	is($p->{parameter}, $parameter, "$name - parameter");
}

sub launch {
	my (@ids) = @_;

	$up->set('/api/batch' => { json => { jobs => [
		map { { id => $_, status => 'queued' } } @ids ] } });

	return $t->post('/api/batch', '{}', headers => [
		'X-Secret' => 'T0kenOfVariable' ])->status;
}

sub settled {
	my ($name) = @_;

	return wait_for {
		my $h = hook($name);
		$h->{waiting} + $h->{in_flight} == 0;
	};
}

###############################################################################

# what every answer has in common

my $response = show('/hooks');

is($response->status, 200, 'hooks');
is($response->header('content-type'), 'application/json', 'content type');
is($response->header('cache-control'), 'no-store', 'not cached');
is($response->header('x-content-type-options'), 'nosniff', 'nosniff');
is($response->header('content-length'), length $response->body,
	'content length');
is(join(' ', sort map { $_->{name} } @{ $response->json->{hooks} }),
	'bad ci down echo held hidden tiny', 'hooks - all');

my $head = ask('HEAD', '/hooks/hidden');

is($head->status, 200, 'head');
is($head->header('content-length'), length show('/hooks/hidden')->body,
	'head - content length');

is(scalar @{ show('/')->json->{hooks} }, 7, 'root');

for my $prefix ('/read', '/deep/er') {
	is(show("$prefix/hooks/bad")->json->{name}, 'bad', "below $prefix");
	is(scalar @{ show("$prefix/")->json->{hooks} }, 7, "root of $prefix");
}

is(scalar @{ show('/read')->json->{hooks} }, 7, 'root without a slash');
problem(show('/readhooks'), 404, undef, 'no segment of its own');
is(show('/guarded/hooks')->status, 403, 'guarded');
is(check()->body, '{"consistent":true}', 'check');
problem(show('/check'), 403, undef, 'check - not for everybody');
problem(check('/read'), 403, undef, 'check - write=off');
problem(check('', Origin => 'http://evil.example'), 403, undef,
	'check - from elsewhere');

for my $path (qw! /x /hooks/ /hooks/nobody /hooks/ci/x /hooks/ci/ping/
	/deliveries/ /deliveries/x /deliveries/ab /checks /hooks//ci/
	/deliveries/00000000-0000-8000-8000-000000000000 /observations !)
{
	problem(show($path), 404, undef, $path);
}

for (['POST', '/', 'GET, HEAD'], ['DELETE', '/hooks/ci', 'GET, HEAD'],
	['PUT', '/deliveries', 'GET, HEAD'], ['OPTIONS', '/hooks', 'GET, HEAD'],
	['GET', '/hooks/ci/ping', 'POST'], ['POST', '/check', 'GET, HEAD'])
{
	my ($method, $path, $allow) = @$_;

	my $response = ask($method, $path, body => 'x' x 100000);

	problem($response, 405, undef, "$method $path");
	is($response->header('allow'), $allow, "$method $path - allow");
}

is(show('/%68ooks/c%69')->json->{name}, 'ci', 'percent-encoded path');

###############################################################################

# a webhook

ok($r->wait_requests(1), 'pinged by itself');
ok(settled('ci'), 'ping delivered');

my $ci = hook('ci');

is($ci->{url}, 'http://' . $r->host . '/hook?token=***&v=***', 'hook - url');
is($ci->{description}, qq{caf\xe9 "<b>"}, 'hook - description');
is(join(' ', sort @{ $ci->{events} }),
	'FINISHED LAUNCHED PING STARTED UPDATED', 'hook - events');
is($ci->{contentType}, 'application/json', 'hook - content type');
ok($ci->{active}, 'hook - active');
is(join(' ', @{ $ci->{signature} }), 'standard virtuoso', 'hook - signature');
is_deeply($ci->{public_keys}, [], 'hook - public keys');
like($ci->{id}, qr/^[1-9]\d*$/, 'hook - id');
is($ci->{state}, 'ok', 'hook - state');
is($ci->{failures}, 0, 'hook - failures');
is($ci->{max_in_flight}, 3, 'hook - max in flight');
is($ci->{queue}, 77, 'hook - queue');
is($ci->{oldest}, undef, 'hook - oldest');
is($ci->{next_attempt}, undef, 'hook - next attempt');
is($ci->{delivered}, 1, 'hook - delivered');
is_deeply($ci->{recent}, [ JSON::PP::true ], 'hook - recent');
is($ci->{success_rate}, 1, 'hook - success rate');

my $hidden = hook('hidden');

is($hidden->{url}, 'http://' . $r->host . '/***', 'hook - hidden url');
ok(!$hidden->{active}, 'hook - inactive');
is_deeply($hidden->{signature}, ['none'], 'hook - no signature');
is($hidden->{success_rate}, undef, 'hook - nothing finished');
is_deeply($hidden->{recent}, [], 'hook - nothing recent');

my $e = hook('echo');

is(join(' ', @{ $e->{signature} }), 'standard github', 'hook - schemes');
is(@{ $e->{public_keys} }, 1, 'hook - a public key');
like($e->{public_keys}[0], qr/^whpk_[\w+\/]{43}=$/, 'hook - its form');
is($e->{contentType}, 'application/x-www-form-urlencoded', 'hook - form');

###############################################################################

# ping

problem(ask('POST', '/hooks/ci/ping'), 403, undef, 'ping - no header');
problem(ask('POST', '/hooks/ci/ping', headers => [ 'X-Webhook-Write' => 0 ]),
	403, undef, 'ping - another header');
problem(action('/read/hooks/ci/ping'), 403, undef, 'ping - read only');
problem(action('/deep/er/hooks/ci/ping'), 403, undef, 'ping - write=off');

for my $origin ('http://evil.example', 'null', 'http://localhost',
	'http://status.localhost.evil.example', 'http://status.localhost:1',
	'status.localhost', '')
{
	problem(action('/hooks/ci/ping', Origin => $origin), 403, undef,
		"ping - origin \"$origin\"");
}

for my $site (qw/ cross-site same-site /) {
	problem(action('/hooks/ci/ping', 'Sec-Fetch-Site' => $site), 403, undef,
		"ping - from $site");
}

problem(action('/hooks/nobody/ping'), 404, undef, 'ping - unknown');
problem(action('/hooks/ci/ping?a=b'), 400, 'a', 'ping - parameter');

is($r->requests(), 1, 'ping - none of these');

$response = action('/hooks/ci/ping', Origin => 'http://status.localhost',
	'Sec-Fetch-Site' => 'same-origin');
is($response->status, 202, 'ping');

my $uuid = $response->json->{uuid};
my $q = ($r->wait_requests(2))[1];

is($q->header('x-webhook-delivery'), $uuid, 'ping - its uuid');
is($q->json->{type}, 'PING', 'ping - type');
is($q->json->{sender}, undef, 'ping - nobody');

my $pinged = $q->body;
my $authority = 'localhost:' . $t->port(1);

is(ask('POST', '/hooks/ci/ping', host => ucfirst $authority, headers => [
	'X-Webhook-Write' => 1, Origin => "https://$authority",
	'Sec-Fetch-Site' => 'none',
	Authorization => 'Basic ' . encode_base64('ann:Cl1entPassword', '') ],
	body => 'x' x 300000)->status, 202, 'ping - by somebody');

is(($r->wait_requests(3))[2]->json->{sender}{name}, 'ann', 'ping - sender');

is(action('/hooks/echo/ping')->status, 202, 'ping - not among its events');

###############################################################################

# deliveries

is(launch(map { "a$_" } 1 .. 12), 200, 'launched');
is(scalar $r->wait_requests(15), 15, 'delivered');
ok(settled('ci'), 'all of them');

my $list = list('hook=ci');

is(@$list, 15, 'deliveries - all');
is(join(' ', map { $_->{execution} || 'ping' } @$list),
	join(' ', (map { "a$_" } reverse 1 .. 12), ('ping') x 3),
	'deliveries - newest first');
is($list->[0]{event}, 'LAUNCHED', 'deliveries - event');
is($list->[0]{type}, 'EXECUTION', 'deliveries - type');
is($list->[14]{event}, 'PING', 'deliveries - ping');
is($list->[14]{type}, 'PING', 'deliveries - its type');
is($list->[0]{hook}, 'ci', 'deliveries - hook');
is($list->[0]{status}, 'delivered', 'deliveries - status');
is($list->[0]{attempts}, 1, 'deliveries - attempts');
is($list->[0]{code}, 204, 'deliveries - code');
is($list->[0]{error}, undef, 'deliveries - no error');
is($list->[0]{sequence}, 1, 'deliveries - sequence');
is($list->[0]{next_attempt}, undef, 'deliveries - no next attempt');
is($list->[-1]{cursor}, list("hook=ci&after=$list->[-2]{cursor}")->[0]{cursor},
	'deliveries - cursor');
like($list->[0]{duration}, qr/^\d+$/, 'deliveries - duration');
like($list->[0]{timestamp}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
	'deliveries - timestamp');
like($list->[0]{uuid}, qr/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-/,
	'deliveries - uuid');

$up->set('/api/jobs/a1' => [ { json => { id => 'a1', status => 'running' } },
	{ json => { id => 'a1', status => 'done' } } ]);

$t->get('/api/jobs/a1', headers => [ 'X-Secret' => 'T0kenOfVariable' ])
	for 1 .. 2;

is(scalar $r->wait_requests(17), 17, 'started, finished');
ok(settled('ci'), 'delivered, too');

is(events('hook=ci&execution=a1'), 'FINISHED STARTED LAUNCHED', 'execution');
is(events('hook=ci&event=FINISHED,STARTED'), 'FINISHED STARTED', 'events');
is(events('hook=ci&event=finished&event=started'), 'FINISHED STARTED',
	'events - repeated');
is(count('hook=ci&event=PING'), 3, 'event - ping');
is(count('hook=ci&event=EXECUTION'), 14, 'event - execution');
is(count('hook=ci&event=EXECUTION,PING'), 17, 'event - both');
is(count('hook=ci&event='), 17, 'event - empty is none');
is(count('hook=ci&status=delivered'), 17, 'status');
is(count('hook=ci&status=waiting,sending,failed,expired,superseded&'
	. 'status=dropped'), 0, 'status - the others');
is(count('execution=a%31&event=LAUNCHED'), 1, 'percent-encoded');
is(count('execution=A1'), 0, 'execution - exactly');
is(count('hook=ci&&limit=4'), 4, 'limit');

my $first = list('hook=ci&execution=a1')->[2]{timestamp};
my $last = list('hook=ci&execution=a1')->[0]{timestamp};

is(count("hook=ci&event=EXECUTION&since=$first"), 14, 'since');
is(count("hook=ci&event=FINISHED&since=$last"), 1, 'since - inclusive');
is(count('hook=ci&since=2099-01-01'), 0, 'since - later');
is(count('hook=ci&since=2099-01-01T00:00:00+01:00'), 0, 'since - offset');
is(count('hook=ci&until=2020-01-01T00:00:00%2B01:00'), 0, 'until - earlier');
is(count('hook=ci&until=0'), 0, 'until - the beginning');
is(count('hook=ci&until=4102444800000&since=1000'), 17, 'in milliseconds');

# wrong ones

for (['limit', '0'], ['limit', '101'], ['limit', 'x'], ['limit', '-1'],
	['limit', '99999999999999999999'], ['after', 'x'], ['after', '0'],
	['event', 'RUNNING'], ['event', 'PING,'], ['event', ','],
	['status', 'done'], ['hook', 'nobody'], ['hook', '%zz'], ['hook', '%4'],
	['since', 'yesterday'], ['since', '2020-02-30'],
	['until', '2020-01-01T00:00:00'], ['until', '+'], ['wrong', 1],
	['limit', '5&limit=5'], ['execution', '%'], ['LIMIT', 5])
{
	my ($name, $value) = @$_;

	problem(show("/deliveries?$name=$value"), 400, $name,
		"$name=$value");
}

problem(show('/deliveries?%3Cb%3E'), 400, '<b>', 'no value');
problem(show('/deliveries?%'), 400, '%', 'rubbish');
problem(show('/hooks?hook=ci'), 400, 'hook', 'no parameters here');
problem(check('?x=1'), 400, 'x', 'nor here');
is(show('/hooks?')->status, 200, 'an empty query');

###############################################################################

# pages stay while deliveries come

my @expected = map { $_->{uuid} } @{ list('hook=ci&limit=100') };
my @seen;
my $after = '';
my $pages = 0;

while ($pages < 20) {
	my $answer = show("/deliveries?hook=ci&limit=4$after")->json;

	$pages++;
	push @seen, map { $_->{uuid} } @{ $answer->{deliveries} };

	last unless defined $answer->{next};

	$after = "&after=$answer->{next}";
	launch("b$pages", "c$pages");
}

is(join(' ', @seen), join(' ', @expected), 'pages');
ok($pages >= 5, 'pages - several');

my $more = 17 + 2 * ($pages - 1);

is(scalar $r->wait_requests($more), $more, 'delivered meanwhile');
ok(settled('ci'), 'all that came');
is(count('hook=ci&limit=100'), $more, 'and they are there');

###############################################################################

# one delivery

my $one = delivery($uuid);

is($one->{uuid}, $uuid, 'delivery - uuid');
is(delivery(uc $uuid)->{uuid}, $uuid, 'delivery - upper case');
is($one->{hook}, 'ci', 'delivery - hook');
is($one->{status}, 'delivered', 'delivery - status');
is($one->{request}{method}, 'POST', 'delivery - method');
is($one->{request}{url}, $ci->{url}, 'delivery - url');
is(JSON::PP->new->utf8->allow_nonref->encode($one->{request}{payload}),
	JSON::PP->new->latin1->allow_nonref->encode($pinged),
	'delivery - payload, as it was sent');

my $headers = $one->{request}{headers};

is($headers->{'X-Webhook-Delivery'}, $uuid, 'request header');
is($headers->{'Content-Type'}, 'application/json', 'content type');
is($headers->{'X-Plain'}, 'plain', 'a plain one');
is($headers->{$_}, '***', "masked $_") for qw/ X-Key Authorization Cookie /;

is($one->{response}{code}, 204, 'response - code');
is($one->{response}{body}, '', 'response - no body');
ok(!$one->{response}{base64}, 'response - text');
ok(!$one->{response}{truncated}, 'response - whole');
is(@{ $one->{attempts} }, 1, 'attempts');

my $attempt = $one->{attempts}[0];

is($attempt->{code}, 204, 'attempt - code');
is($attempt->{error}, undef, 'attempt - no error');
is($attempt->{peer}, $r->host, 'attempt - peer');
like($attempt->{started}, qr/^20\d\d-.*Z$/, 'attempt - started');
like($attempt->{phases}{total}, qr/^\d+$/, 'attempt - total');
is($attempt->{phases}{tls}, undef, 'attempt - no TLS');

my $evaluated = delivery(list('execution=a2')->[0]{uuid});

is($evaluated->{request}{headers}{'X-Variable'}, '***',
	'an evaluated header is masked');
is($evaluated->{execution}, 'a2', 'delivery - execution');

# an endpoint that fails, and one that is not there

my $failing = action('/hooks/bad/ping')->json->{uuid};
my $down = action('/hooks/down/ping')->json->{uuid};

ok(wait_for { delivery($down)->{status} eq 'failed' }, 'failed');

my $d = delivery($down);

is($d->{response}, undef, 'failed - no response');
is($d->{code}, undef, 'failed - no code');
is($d->{error}, 'connect', 'failed - error');
is($d->{attempts}[0]{error}, 'connect', 'failed - class');
ok($d->{attempts}[0]{message}, 'failed - sentence');
is($d->{attempts}[0]{code}, undef, 'failed - attempt without a code');
is_deeply(hook('down')->{recent}, [ JSON::PP::false ], 'failed - recent');
is(hook('down')->{success_rate}, 0, 'failed - rate');
is(hook('down')->{failed}, 1, 'failed - counted');
is_deeply(hook('down')->{outcomes}, { connect => 1 }, 'failed - outcomes');
is(list('hook=down')->[0]{error}, 'connect', 'failed - error in a list');
is(count('status=failed'), 1, 'failed - listed');

ok(wait_for {
	my $d = delivery($failing);
	@{ $d->{attempts} } == 3 && $d->{status} eq 'waiting';
}, 'three attempts');

$d = delivery($failing);

is($d->{attempt_count}, 3, 'waits - count');
is(join(' ', map { $_->{code} } @{ $d->{attempts} }), '500 500 500',
	'waits - codes');
is($d->{response}{body}, 'no', 'waits - body');
is($d->{response}{headers}{'X-Why'}, 'because', 'waits - headers');
like($d->{next_attempt}, qr/^20/, 'waits - until');
ok($d->{attempts}[0]{started} lt $d->{attempts}[2]{started},
	'oldest attempt first');

my $waiting = hook('bad');

is($waiting->{waiting}, 1, 'hook - waiting');
like($waiting->{next_attempt}, qr/^20/, 'hook - next attempt');
like($waiting->{oldest}, qr/^20/, 'hook - oldest');
is($waiting->{failures}, 3, 'hook - failures');
is(count('status=waiting&hook=bad'), 1, 'listed as waiting');

###############################################################################

# endpoints that say what they were told, and worse

sub echo {
	my (%behaviour) = @_;

	$echo->set('*' => { status => 200, %behaviour });

	my $uuid = action('/hooks/echo/ping')->json->{uuid};
	my $d;

	wait_for {
		$d = delivery($uuid);
		$d->{status} eq 'delivered';
	};

	return $d;
}

$d = echo(
	headers => {
		Location => 'http://h/?token=Qu3ryValue&a=b',
		'Set-Cookie' => [ 'a=Rec3iverCookie', 'b=Rec3iverCookie' ],
		'X-Auth-Token' => 'Rec3iverToken',
		'X-Two' => [ 'one', 'two' ],
		'X-Html' => '<script>"\\',
	},
	body => 'Authorization: Basic '
		. encode_base64('user:Us3rinfoPassword', '')
		. "\nX-Key: Fil3HeaderValue, S1gningSecretSigningSecretXX "
		. "caf\xe9 <script>alert(1)</script>",
);

is($d->{response}{code}, 200, 'echo');
is($d->{response}{body}, "Authorization: Basic ***\nX-Key: ***, *** "
	. "caf\xe9 <script>alert(1)</script>", 'echo - body');

$headers = $d->{response}{headers};

is($headers->{Location}, 'http://h/?token=***&a=b', 'echo - url');
is($headers->{'Set-Cookie'}, '***', 'echo - cookies');
is($headers->{'X-Auth-Token'}, '***', 'echo - a token');
is($headers->{'X-Two'}, 'one, two', 'echo - two of a name');
is($headers->{'X-Html'}, '<script>"\\', 'echo - escaped');
like($d->{request}{payload}, qr/^\{"type":"PING"/, 'echo - payload as JSON');

my $bytes = join '', map { chr } 0 .. 255;

$d = echo(body_b64 => encode_base64($bytes, ''));
ok($d->{response}{base64}, 'binary');
is(decode_base64($d->{response}{body}), $bytes, 'binary - bytes');

# 1024 bytes are kept, the last of them half a character

$d = echo(body_b64 => encode_base64('...' . "\xc3\xa9" x 1000, ''));
ok($d->{response}{truncated}, 'long');
ok(!$d->{response}{base64}, 'long - text');
is($d->{response}{size}, 2003, 'long - size');
is($d->{response}{body}, '...' . "\xe9" x 510, 'long - cut');

$d = echo(body => '.' x 1010 . 'S1gningSecretSigningSecretXX');
is($d->{response}{body}, '.' x 1010 . '***', 'cut within a secret');

# executions with odd names

my $odd = "<img src=x>\"\\\n\x{e9}";

$up->set('/api/jobs' => { json => { id => $odd, status => 'queued' } });
$t->post('/api/jobs', '{}');
ok(wait_for { count('hook=ci&execution=%3Cimg+src%3Dx%3E%22%5C%0A%C3%A9') },
	'an odd execution');
is(list('hook=ci&limit=1')->[0]{execution}, $odd, 'as it is');

# of a long one the first 128 bytes are kept, whoever asks for all of it

my $arn = 'arn:' . 'x' x 123;

launch("${arn}12", "${arn}1");
ok(wait_for { count("hook=ci&execution=${arn}1") == 2 }, 'a long execution')
	or diag(explain(list('hook=ci&limit=2')));
is(join(' ', map { count("hook=ci&execution=$_") } "${arn}12", "${arn}2", $arn),
	'2 0 0', 'of its length');
is(list('hook=ci&limit=1')->[0]{execution}, "${arn}1", 'what is kept of it');

###############################################################################

# more than one look at the zone finds, and pages through

for my $part ('x', 'y') {
	$up->set('/held/batch' => { json => { jobs => [ map {
		{ id => sprintf('%s%04d', $part, $_), status => 'queued' }
	} 1 .. 1000 ] } });

	$t->post('/held/batch', '{}', host => 'held');
	ok(wait_for { count("hook=held&execution=${part}1000") }, "queued $part");
}

ok(wait_for { hook('held')->{waiting} == 1999 }, 'many wait');
is(hook('held')->{in_flight}, 1, 'one at a time');
is(list('execution=x0001&hook=held')->[0]{execution}, 'x0001',
	'the oldest of them');
is(list('limit=1&execution=y1000')->[0]{execution}, 'y1000', 'the newest');
is(count('hook=held&status=sending'), 1, 'one is sent');

my %held;
my $next = '';

do {
	my $answer = show("/deliveries?hook=held&limit=100$next")->json;

	$held{$_->{execution}}++ for @{ $answer->{deliveries} };
	$next = defined $answer->{next} ? "&after=$answer->{next}" : undef;

} while (defined $next);

is(scalar keys %held, 2000, 'pages - all of them');
is(scalar(grep { $_ != 1 } values %held), 0, 'pages - each once');

# a queue that is full

my @tiny = map { action('/hooks/tiny/ping') } 1 .. 4;

problem($tiny[3], 503, undef, 'queue full');
is(show('/deliveries/' . $_->json->{uuid})->status, 200, 'accepted is known')
	for grep { $_->status == 202 } @tiny;

$held->release(1);
ok(wait_for { hook('held')->{delivered} == 1 || hook('tiny')->{delivered} },
	'one was released');

my ($gone) = (@{ list('hook=held&status=delivered') },
	@{ list('hook=tiny&status=delivered') });

is(delivery($gone->{uuid})->{response}{body}, 'H3ldBodyOfAWebhookThatIsGone',
	'its answer');

$all =~ s/H3ldBodyOfAWebhookThatIsGone//g;
push @secrets, 'H3ldBodyOfAWebhookThatIsGone';

###############################################################################

# after a reload the same is there

ok(settled('ci'), 'settled');

my $before = list('limit=100');

ok($t->reload(), 'reload');
is(join(' ', map { $_->{uuid} } @{ list('limit=100') }),
	join(' ', map { $_->{uuid} } @$before), 'reload - deliveries');
is(hook('ci')->{state}, 'ok', 'reload - hook');
is(check()->status, 200, 'reload - check');

# a webhook that is gone; what its endpoint may have echoed nobody knows

my $conf = read_file($t->dir . '/nginx.conf');

$conf =~ s/webhook (held|tiny) \{.*?\}//gs;
write_file($t->dir . '/nginx.conf', $conf);
ok($t->reload(), 'reload without two webhooks');

is(show('/hooks/held')->status, 404, 'gone');

$d = delivery($gone->{uuid});

is($d->{hook}, $gone->{hook}, 'gone - name');
is($d->{request}{url}, undef, 'gone - no url');
is($d->{response}{code}, 200, 'gone - code');
is($d->{response}{body}, undef, 'gone - no body');
is($d->{response}{headers}, undef, 'gone - no headers');

$held->release();

###############################################################################

# a zone that is full

my $small = WebhookTest->new(workers => 1);

$small->http_config(<<EOF);

webhook_zone zone=small:1m;

server {
    listen 127.0.0.1:%%PORT_0%%;

    webhook one {
        url http://127.0.0.1:$closed/;
        retry 1h;
        queue 100000;
    }

    webhook two {
        url http://127.0.0.1:$closed/;
        retry off;
    }

    location / {
        webhook_status write=on;
    }
}

EOF

$small->run();

my $client = $small->connect();

$response = $client->request('POST', '/hooks/two/ping', body => '',
	headers => [ 'X-Webhook-Write' => 1 ]);
my $two = '/deliveries/' . $response->json->{uuid};

ok(wait_for { $small->get($two)->json->{status} eq 'failed' }, 'failed');

for (1 .. 10000) {
	$response = $client->request('POST', '/hooks/one/ping', body => '',
		headers => [ 'X-Webhook-Write' => 1 ]);

	last if !$response || $response->status != 202;
}

problem($response, 503, undef, 'zone full');

# what is left is for the other one, until that is taken, too

for my $action ('pause', ('ping') x 1000) {
	$response = $client->request('POST', "/hooks/two/$action", body => '',
		headers => [ 'X-Webhook-Write' => 1 ]);

	last if $response->status >= 300;
}

problem($response, 503, undef, 'all of it');
problem($client->request('POST', "$two/redeliver", body => '',
	headers => [ 'X-Webhook-Write' => 1 ]), 503, undef, 'no redelivery');
is($small->get($two)->json->{status}, 'failed', 'as it was');

$small->done(more => 1);

###############################################################################

# configuration

sub refused {
	my ($text, $re, $name) = @_;

	my ($ok, $said) = $t->test_config(
		"server { listen 127.0.0.1:%%PORT_2%%;\n$text }");

	ok(!$ok, "$name refused");
	like($said, $re, "$name - why");
}

refused('location ~ /x { webhook_status; }', qr/prefix.*test\.conf:\d+/,
	'regex');
refused('location = /x { webhook_status; }', qr/prefix/, 'exact');
refused('location @x { webhook_status; }', qr/prefix/, 'named');
refused('webhook_status;', qr/not allowed here/, 'server');
refused('location / { if ($args) { webhook_status; } }',
	qr/not allowed here/, 'if');
refused('location / { webhook_status write=maybe; }', qr/"write=maybe"/,
	'parameter');
refused('location / { webhook_status; webhook_status; }', qr/duplicate/,
	'twice');

###############################################################################

# not one secret, in no form

delivery($_->{uuid}) for @{ list('limit=100') };

cmp_ok(length $all, '>', 100000, 'plenty to look at');

for my $secret (@secrets) {
	is(index($all, $secret), -1, "nowhere: $secret");
	is(index($t->error_log(), $secret), -1, "nor in the log: $secret");
}

$t->done();

###############################################################################
