#!/usr/bin/perl

# The status endpoint's answers, and what webhooks receive, are what
# conf/openapi.yaml says, by a library for OpenAPI 3.1 and one for JSON Schema.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new();
my $up = $t->upstream('up');
my $r = $t->receiver('r');

$t->port('dead');

$t->http_config(<<'EOF');

webhook_store %%TESTDIR%%/store;

webhook_api jobs {
    id /id;
    state /status;
    route POST /api/jobs { launch; }
    route GET /api/all {
        each /jobs/*;
        require /id;
        updated /done;
        run /run;
        enrich goal.name /api/goals/${goal.id};
        enrich project.name /api/projects/$webhook_execution;
    }
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location /api/ {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe jobs;

        webhook good {
            url        %%URL_r%%/good?key=value;
            secret     whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
                       whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==;
            signature  standard virtuoso github stripe;
        }

        webhook bad {
            url           %%URL_r%%/bad;
            content_type  application/x-www-form-urlencoded;
            retry         off;
        }

        webhook dead {
            url        http://127.0.0.1:%%PORT_dead%%/;
            signature  none;
            active     on;
        }
    }

    location /status/ {
        webhook_status write=on;
    }

    location /read/ {
        webhook_status;
    }
}

EOF

$r->set('/bad' => { status => 500, headers => { 'X-Why' => 'because' },
	body_b64 => 'AP8A/w==' });
$up->set('/api/jobs' => { json => { id => 'j', status => 'new' } });

$t->run();
$t->post('/api/jobs', '{}');

###############################################################################

my @answers;
my $deliveries;

my $settled = wait_for {
	$deliveries = $t->get('/status/deliveries')->json->{deliveries};
	@$deliveries >= 6
		&& !grep { $_->{status} eq 'sending' || !$_->{attempts} }
			@$deliveries;
};
ok($settled, 'deliveries of all kinds');

see('GET', '/', '/');
see('GET', '/', '/', undef, undef, Accept => 'text/html');
see('GET', '/hooks', '/hooks');
see('GET', '/hooks?x=y', '/hooks');
see('GET', '/hooks/good', '/hooks/{name}');
see('GET', '/hooks/none', '/hooks/{name}');
see('GET', '/deliveries', '/deliveries');
see('GET', '/deliveries?limit=1', '/deliveries');
see('GET', '/deliveries?status=delivered&event=PING', '/deliveries');
see('GET', '/deliveries?limit=0', '/deliveries');
see('GET', "/deliveries?$_", '/deliveries') for 'hook=good', 'hook=none',
	'execution=j', 'since=2020-01-01', 'since=2020-01-01T00:00:00.5%2B02:00',
	'since=0', 'since=x', 'until=2199-12-31T23:59:59Z', 'until=1',
	'until=x', 'event=EXECUTION,PING', 'event=x', 'status=x', 'after=x',
	'hook=good&execution=j&since=0&until=2199-01-01&limit=100';

my $next = $t->get('/status/deliveries?limit=1')->json->{next};
see('GET', "/deliveries?limit=1&after=$next", '/deliveries');
see('GET', "/deliveries/$_->{uuid}", '/deliveries/{uuid}') for @$deliveries;
see('GET', '/deliveries/none', '/deliveries/{uuid}');
see('GET', '/observed', '/observed');
see('GET', '/observed?reason=none', '/observed');
see('GET', '/observed?reason=events&limit=10', '/observed');
see('GET', '/observed?after=1', '/observed');
see('GET', '/metrics', '/metrics');
see('GET', '/metrics', '/metrics', undef, undef, Accept => 'text/plain');
see('GET', '/metrics?x=y', '/metrics');
see('GET', '/check', '/check');
see('GET', '/check', '/check', '/read');

# what the client has already

for (['/'], ['/hooks'], ['/hooks/good', '/hooks/{name}'], ['/deliveries'],
	["/deliveries/$deliveries->[0]{uuid}", '/deliveries/{uuid}'],
	['/observed'])
{
	my ($uri, $path) = @$_;
	my $tag = $t->get("/status$uri")->header('ETag');

	see('GET', $uri, $path || $uri, undef, undef, 'If-None-Match' => $tag);
}

for my $action (qw/ ping pause resume recover /) {
	see('POST', "/hooks/good/$action", "/hooks/{name}/$action");
	see('POST', "/hooks/none/$action", "/hooks/{name}/$action");
	see('POST', "/hooks/good/$action", "/hooks/{name}/$action", '/read');
}

see('POST', "/hooks/good/recover?$_", '/hooks/{name}/recover')
	for 'since=2020-01-01', 'since=x', 'limit=5';

see('POST', '/try?api=jobs&method=POST&uri=/api/jobs', '/try', undef,
	'{"id":"new","status":"new"}');
see('POST', '/try?api=jobs&method=POST&uri=/api/jobs&status=201&hook=good',
	'/try', undef, '{"id":"new","status":"new"}');
see('POST', '/try?api=jobs&method=POST&uri=/api/jobs&body=%7B%7D', '/try', undef,
	'{"id":"new","status":"new"}');
see('POST', '/try?api=jobs&uri=/elsewhere', '/try', undef, '{}');
see('POST', '/try?api=jobs&uri=/api/all&hook=good', '/try', undef,
	'{"jobs":[{},{"id":1,"status":"run","run":2,"done":3},{"id":2},3]}');
see('POST', '/try?api=jobs&uri=/api/all', '/try', undef, '{');
see('POST', '/try?api=none', '/try', undef, '{}');

for my $d (@$deliveries) {
	see('POST', "/deliveries/$d->{uuid}/redeliver",
		'/deliveries/{uuid}/redeliver');
}

# what webhooks have received

push @answers, map { {
	webhook => $_->header('X-Webhook-Event') eq 'PING' ? 'ping' : 'execution',
	headers => [ $_->headers() ],
	body => $_->body,
} } $r->requests();

my %statuses;
$statuses{$_->{status}}++ for grep { $_->{status} } @answers;

is(join(' ', sort keys %statuses), '200 202 304 400 403 404 409',
	'answers of all kinds');

my $file = $t->file('answers.json', JSON::PP->new->utf8->encode(\@answers));

my ($status, $said) = $t->output('node', repo('t/node/openapi.js'),
	repo('conf/openapi.yaml'), $file);

is($status, 0, 'validated');
is($said, '', 'as described');

# each path that is answered is described, and no other

my $routes = read_file(repo('src/ngx_http_webhook_status.c'));
my %routes = map { $_ => 1 } $routes =~ /\{ ngx_string\("([^"]*)"\), NGX_HTTP/g;
my %described = map { s/\{\w+\}/*/; $_ => 1 }
	read_file(repo('conf/openapi.yaml')) =~ m!^  /(\S*):$!mg;

is(join("\n", sort keys %described), join("\n", sort keys %routes), 'paths');

# and a wrong answer is noticed

$answers[0]{body} =~ s/"waiting":\d+/"waiting":"many"/;
$file = $t->file('wrong.json', JSON::PP->new->utf8->encode([ $answers[0] ]));

(undef, $said) = $t->output('node', repo('t/node/openapi.js'),
	repo('conf/openapi.yaml'), $file);

like($said, qr/waiting must be integer/, 'a wrong answer is noticed');

$answers[0]{body} =~ s/"waiting":"many"/"waiting":1,"new":[]/;
$file = $t->file('wrong.json', JSON::PP->new->utf8->encode([ $answers[0] ]));

(undef, $said) = $t->output('node', repo('t/node/openapi.js'),
	repo('conf/openapi.yaml'), $file);

like($said, qr/must NOT have unevaluated properties/,
	'a member that is not described is noticed');

for ([ qr/"type":"PING"/, '"type":"PONG"', 'must be equal to constant' ],
	[ qr/"webhook":/, '"new":{},"webhook":', 'additional properties' ])
{
	my ($old, $new, $error) = @$_;
	my ($ping) = grep { ($_->{webhook} || '') eq 'ping'
		&& $_->{body} =~ /^{/ } @answers;

	my %wrong = (%$ping, body => $ping->{body} =~ s/$old/$new/r);
	$file = $t->file('wrong.json', JSON::PP->new->utf8->encode([ \%wrong ]));

	(undef, $said) = $t->output('node', repo('t/node/openapi.js'),
		repo('conf/openapi.yaml'), $file);

	like($said, qr/webhook ping: .*$error/, "$new is noticed");
}

$t->done();

###############################################################################

sub see {
	my ($method, $uri, $path, $prefix, $body, @headers) = @_;

	my $response = $t->request($method, ($prefix || '/status') . $uri,
		body => $method eq 'POST' ? $body || '' : undef,
		headers => [ 'X-Webhook-Write' => 1, @headers ]);

	my ($args) = $uri =~ /\?(.*)/;

	push @answers, { method => $method, path => $path,
		query => [ map { /^([^=]*)/ } split /&/, $args || '' ],
		status => $response->status,
		type => scalar $response->header('Content-Type'),
		body => $response->body };
}

###############################################################################
