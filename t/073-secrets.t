#!/usr/bin/perl

# Secrets in every place that has one: in webhooks, in what callers send, in
# what the API answers.  They go where they belong and appear nowhere else: in
# no payload, no answer of the status endpoint and no log, whatever fails.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use MIME::Base64 qw/ encode_base64 /;
use Test::More;

use WebhookTest;

###############################################################################

# each is one word, found as such or in base64

my %secret = map { $_ => "S3c$_" . 'x' . sprintf '%08x', rand 0xffffffff }
	qw/ Signing Old Seed File Env Literal Basic Cookie Variable Mixed Query
	Flag User Path Proxy CallerAuth CallerCookie CallerToken CallerBody Deep
	Pair List Named Own Object Omitted Bulk EchoBody Password EnvPath
	EnvQuery Watch WatchFile WatchQuery Enriched EnrichQuery Tried Slashed
	Decoded Name Relay /;

my $whsec = 'whsec_' . encode_base64("$secret{Old}$secret{Old}", '');
my $whsk = 'whsk_' . encode_base64(substr($secret{Seed} x 3, 0, 32), '');
my $name = encode_base64("$secret{Name}:", '');
my $relay = encode_base64("user:$secret{Relay}", '');

my $t = WebhookTest->new(env => { WEBHOOK_TEST_SECRET => $secret{Env} });
my $up = $t->upstream('up');
my $cert = $t->cert('tls');
my $tls = $t->receiver('tls', tls => $cert);
my $r = $t->receiver('r', rules => {
	'/fails' => { status => 500, headers => {
		'X-Echo' => "$secret{File} $secret{Query}",
		'Set-Cookie' => "id=$secret{EchoBody}",
		Location => "/?$secret{Query}" },
		body => "you sent $secret{Signing}, $secret{File}, "
			. "$secret{Env}, $secret{Query}, $secret{User}, $whsec" },
	'/escaped' => { status => 500, body => qq({"query":"k/$secret{Decoded}",)
		. qq("key":"k\\/$secret{Slashed}\\"k",)
		. qq("same":"k/$secret{Slashed}\\"k"}) },
	'/named' => { status => 401, body => "$secret{Name}, $name" },
	'http://relayed.test/relayed' => { status => 407,
		headers => { 'X-Echo' => $relay },
		body => "user, $secret{Relay}, $relay" },
	'/garbage' => { raw => "$secret{File}\n\n$secret{Query}", then => 'close' },
	'/hangs' => { drop => 'hang' },
	'/reset' => { drop => 'reset' },
	'/short' => { size => 1000, truncate => 10, then => 'close' },
	'/moved' => { status => 302, headers => {
		Location => "/moved?key=$secret{Query}" } },
});

$t->file('header', "$secret{File}\n");
$t->file('url', $r->url("/$secret{Path}/of/it\n"));
$t->file('watch', "$secret{WatchFile}\n");
$t->{env}{WEBHOOK_TEST_URL} = $r->url("/$secret{EnvPath}?k=$secret{EnvQuery}");
$t->port('closed');

# webhook => [ url without query, settings ]

my %hooks = (
	good => [ 'http://%%HOST_r%%/good', 'signature standard github stripe;' ],
	form => [ 'http://%%HOST_r%%/form', 'signature virtuoso;'
		. 'content_type application/x-www-form-urlencoded;' ],
	fails => [ 'http://%%HOST_r%%/fails', '' ],
	refused => [ 'http://127.0.0.1:%%PORT_closed%%/', '' ],
	garbage => [ 'http://%%HOST_r%%/garbage', '' ],
	hangs => [ 'http://%%HOST_r%%/hangs', 'timeout 300ms;' ],
	reset => [ 'http://%%HOST_r%%/reset', '' ],
	short => [ 'http://%%HOST_r%%/short', '' ],
	moved => [ 'http://%%HOST_r%%/moved', '' ],
	plain => [ 'https://%%HOST_r%%/plain', 'timeout 400ms;' ],
	untrusted => [ 'https://localhost:%%PORT_tls%%/untrusted', '' ],
	unknown => [ 'http://no.such.host.invalid/', 'timeout 1s;' ],
	proxied => [ 'http://proxied.test/', 'proxy http://'
		. "user:$secret{Proxy}\@127.0.0.1:%%PORT_closed%%;" ],
	via => [ 'http://%%HOST_r%%/via', 'via @r;' ],
	viarefused => [ 'http://%%HOST_r%%/viarefused', 'via @closed;' ],
	viahangs => [ 'http://%%HOST_r%%/hangs', 'via @r; timeout 300ms;' ],
	viagarbage => [ 'http://%%HOST_r%%/garbage', 'via @r;' ],
	waits => [ 'http://127.0.0.1:%%PORT_closed%%/waits', 'retry 1h;' ],
);

my %lines;

for my $name (sort keys %hooks) {
	my ($url, $more) = @{ $hooks{$name} };

	$url =~ s!://!://me:$secret{User}\@!;
	$more .= ' retry off;' unless $more =~ /retry/;

	die if $url !~ /$secret{User}/;

	$lines{$name} = "webhook $name { url $url?key=$secret{Query}&"
		. "$secret{Flag}; $more }\n";
}

my $hooks = join '', map { $lines{$_} } sort keys %lines;

my $conf = <<"EOF";

webhook_redact owned_thing password passwd secret token authorization apikey
               privatekey credential;

webhook_api test {
    execution "";
    id /id;
    state /status;
    states STARTED running;
    states FINISHED done;
    omit /meta /steps/*/data;
    sender.name \$remote_user;
    route POST /launch { launch; }
    route GET /see/* { }
}

webhook_api watched {
    execution "";
    id /id;
    state /status;
    states STARTED running;
    states FINISHED done;
    enrich goal /w/goals/1?key=$secret{EnrichQuery};
    watch_header Authorization "Bearer $secret{Watch}";
    watch_header X-Watch file:%%TESTDIR%%/watch;
    route GET /w/see/* { }
    route POST /w/launch {
        launch;
        watch /w/see/\$webhook_execution?key=$secret{WatchQuery} every=100ms;
    }
}

webhook_defaults {
    secret $secret{Signing} $whsec $whsk;
    header X-File file:%%TESTDIR%%/header;
    header X-Env env:WEBHOOK_TEST_SECRET;
    header Authorization "Bearer $secret{Literal}";
    header Cookie "id=$secret{Cookie}";
    header X-Api-Key $secret{Basic};
    header X-Variable \$http_x_secret;
    header X-Mixed "a \$http_x_mixed b";
}

log_format ours '\$request_method \$uri \$status \$webhook_events '
                '\$webhook_name';

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;
    access_log %%TESTDIR%%/access.log ours;

    location / {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe test;

        webhook path { url file:%%TESTDIR%%/url; retry off; }

        webhook escaped {
            url     %%URL_r%%/escaped?key=k%2F$secret{Decoded};
            header  X-Api-Key 'k/$secret{Slashed}"k';
            retry   off;
        }

        webhook named {
            url     http://$secret{Name}\@%%HOST_r%%/named;
            retry   off;
        }

        webhook relayed {
            url     http://relayed.test/relayed;
            proxy   http://user:$secret{Relay}\@%%HOST_r%%;
            retry   off;
        }

        $hooks
    }

    location /w/ {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe watched;

        webhook watched { url env:WEBHOOK_TEST_URL; retry off; }
    }

    location \@r {
        include %%CONF%%/webhook/via.conf;
        proxy_pass %%URL_r%%;
    }

    location \@closed {
        include %%CONF%%/webhook/via.conf;
        proxy_pass http://127.0.0.1:%%PORT_closed%%;
    }

    location /status/ {
        access_log off;
        webhook_status write=on;
    }
}

EOF

my $env = 'env WEBHOOK_TEST_SECRET; env WEBHOOK_TEST_URL;';

my ($ok, $said) = $t->test_config($conf, main => $env);

ok($ok, 'configuration') or diag($said);

$t->http_config($conf, main => $env);
$t->run();

###############################################################################

# what the API answers

my $document = {
	id => 1, status => 'running', shown => 'V1sible',
	password => $secret{Password}, meta => { initial => $secret{Omitted} },
	steps => [ { data => $secret{Bulk}, name => 'V1sibleStep' } ],
	a => { b => [ { c => { 'API-Key' => $secret{Deep} } } ] },
	tokens => [ $secret{List} ],
	env => [ { key => 'db_password', value => $secret{Pair} },
		{ name => 'auth-TOKEN', value => { v => $secret{Named} } } ],
	OwnedThing => $secret{Own},
	clientSecret => { id => 'x', text => $secret{Object} },
};

$up->set('/launch' => { json => $document }, '/see/1' => { json => {
	%$document, status => 'done' } });

my @caller = (
	'X-Secret' => $secret{Variable},
	'X-Mixed' => $secret{Mixed},
	Authorization => 'Basic ' . encode_base64("alice:$secret{CallerAuth}",
		''),
	Cookie => "session=$secret{CallerCookie}",
);

my $uri = "token=$secret{CallerToken}";

my $launch = $t->post("/launch?$uri", qq({"password":"$secret{CallerBody}"}),
	headers => [ @caller ]);

$t->get("/see/1?$uri", headers => [ @caller ]);

# an execution that is asked for, with a credential of our own

$up->set('/w/launch' => { json => { id => 7, status => 'running' } },
	'/w/see/7' => { json => { id => 7, status => 'done' } },
	'/w/goals/1' => { json => { id => 1, name => 'V1sibleGoal',
		password => $secret{Enriched} } });

$t->post('/w/launch', '{}', headers => [ @caller ]);

my @names = sort keys %hooks, 'path', 'watched', 'escaped', 'named', 'relayed';

my $settled = wait_for {
	my $list = $t->get('/status/hooks')->json->{hooks};

	return !grep { $_->{waiting} + $_->{in_flight} } grep {
		$_->{name} ne 'waits' && $_->{state} eq 'ok' } @$list;
} 20;

ok($settled, 'all that can end has ended');

ok(wait_for { grep { $_->header('X-Webhook-Event') eq 'FINISHED' }
	$r->requests("/$secret{EnvPath}") }, 'what was watched has ended');

# they go where they belong

my $d = $t->get('/status/deliveries?hook=good&limit=100')->json->{deliveries};

is(join(' ', map { $_->{event} } @$d), 'FINISHED STARTED LAUNCHED PING',
	'events');

my ($event) = grep { $_->header('X-Webhook-Event') eq 'FINISHED' }
	$r->requests('/good');

is($event->query, "key=$secret{Query}&$secret{Flag}", 'query, sent');
is($event->header('X-File'), $secret{File}, 'header of a file, sent');
is($event->header('X-Env'), $secret{Env}, 'header of the environment, sent');
is($event->header('X-Variable'), $secret{Variable}, 'variable, sent');
is($event->header('X-Mixed'), "a $secret{Mixed} b", 'text, sent');
is($event->header('Authorization'), "Bearer $secret{Literal}",
	'authorization, sent');
is($event->header('Cookie'), "id=$secret{Cookie}", 'cookie, sent');
is($event->header('X-Api-Key'), $secret{Basic}, 'key, sent');
is($r->requests("/$secret{Path}/of/it"), 4, 'path, sent');
like($launch->body, qr/$secret{Deep}/, 'the client gets the answer');

my ($asked) = $up->requests('/w/see/7');

is($asked->header('Authorization'), "Bearer $secret{Watch}",
	'credential of watch, sent');
is($asked->header('X-Watch'), $secret{WatchFile}, 'another, sent');
is($asked->query, "key=$secret{WatchQuery}", 'query of watch, sent');

my ($enriched) = grep { $_->header('X-Webhook-Event') eq 'LAUNCHED' }
	$r->requests("/$secret{EnvPath}");

is_deeply($enriched->json->{goal}, { id => 1, name => 'V1sibleGoal',
	password => '***' }, 'redacted, of enrich');
is($enriched->query, "k=$secret{EnvQuery}", 'query of the environment, sent');

my $p = $event->json;

is($p->{execution}{shown}, 'V1sible', 'payload');
is($p->{sender}{name}, 'alice', 'sender');
is($p->{execution}{password}, '***', 'redacted');
is($p->{execution}{a}{b}[0]{c}{'API-Key'}, '***', 'redacted, at any depth');
is($p->{execution}{env}[0]{value}, '***', 'redacted, a pair of key and value');
is($p->{execution}{env}[1]{value}, '***', 'redacted, of name and value');
is($p->{execution}{OwnedThing}, '***', 'redacted, a name of ours');
is($p->{execution}{clientSecret}, '***', 'redacted, an object');
is($p->{execution}{tokens}, '***', 'redacted, a list');
is($p->{execution}{meta}, undef, 'omitted');
is_deeply($p->{execution}{steps}, [ { name => 'V1sibleStep' } ],
	'omitted, in a list');

# and nowhere else

my %sent = map { $_ => 1 } qw/ File Env Literal Basic Cookie Variable Mixed
	Query Flag User Path EnvPath EnvQuery Slashed Name Relay /;

my @everything = (
	[ 'nginx -t', $said ],
	[ 'payloads', join "\n", map { $_->body } $r->requests(),
		$tls->requests() ],
	[ 'access log', $t->access_log() ],
	[ 'hooks', $t->get('/status/hooks')->body ],
	map { [ "hook $_", $t->get("/status/hooks/$_")->body ],
		[ "ping $_", act("hooks/$_/ping") ] } @names,
);

# each path, each action, and what is wrong with either

my ($one) = @$d;

push @everything, (map { [ "/$_", whole($t->get("/status/$_",
		headers => [ @caller ])) ] }
	'', qw{ metrics observed observed?limit=100 none hooks/none
		deliveries/none deliveries?execution=1 },
	"deliveries?token=$secret{CallerToken}",
	"deliveries?after=$secret{CallerToken}",
	"hooks/$secret{CallerToken}", "observed?reason=$secret{CallerToken}",
	"deliveries/$secret{CallerToken}",
	"deliveries/$one->{uuid}?token=$secret{CallerToken}"),
	[ 'page', whole($t->get('/status/', headers => [
		Accept => 'text/html', @caller ])) ],
	[ 'metrics, text', whole($t->get('/status/metrics', headers => [
		Accept => 'text/plain' ])) ],
	[ 'check', whole($t->get('/status/check', headers => [
		'X-Webhook-Write' => 1, @caller ])) ],
	(map { [ $_, act($_) ] } qw{ hooks/waits/pause hooks/waits/resume
		hooks/waits/recover hooks/none/ping },
		"hooks/waits/recover?since=$secret{CallerToken}",
		"deliveries/$one->{uuid}/redeliver"),
	[ 'try, enrich', act('try?api=watched&uri=/w/see/7',
		qq({"id":7,"status":"done","token":"$secret{Tried}"})) ],
	(map { [ "try $_", act("try?$_", JSON::PP->new->utf8->encode({
		%$document, token => $secret{Tried} })) ] }
		'api=test&uri=/see/1', 'api=test&uri=/see/1&hook=good',
		'api=test&method=POST&uri=/launch&status=201', 'api=test&uri=/no',
		"api=test&uri=/see/1?token=$secret{CallerToken}",
		"api=$secret{CallerToken}");

my ($tried) = grep { $_->[0] eq 'try api=test&uri=/see/1&hook=good' }
	@everything;

like($tried->[1], qr/V1sibleStep/, 'try shows a payload');

($tried) = grep { $_->[0] eq 'try, enrich' } @everything;

like($tried->[1], qr!/w/goals/1\?key=\*\*\*!, 'try shows what is asked for');

my ($after, $n) = ('', 0);

do {
	my $response = $t->get("/status/deliveries?limit=20$after");
	my $page = $response->json;

	push @everything, [ 'deliveries', $response->body ];

	for my $d (@{ $page->{deliveries} }) {
		my $whole = $t->get("/status/deliveries/$d->{uuid}");

		push @everything, [ "delivery of $d->{hook}", $whole->body ];
		$n++ if @{ $whole->json->{attempts} };
	}

	$after = $page->{next} ? "&after=$page->{next}" : '';

} while ($after);

cmp_ok($n, '>=', 3 * @names, 'deliveries that were tried');

my ($failed) = grep { $_->[0] eq 'delivery of fails'
	&& $_->[1] =~ /you sent/ } @everything;

ok($failed, 'an answer that repeats secrets');
like($failed->[1], qr/you sent \*\*\*, \*\*\*, \*\*\*, \*\*\*, \*\*\*, \*\*\*/,
	'an answer that repeats secrets, without them') if $failed;

my ($escaped) = grep { $_->[0] eq 'delivery of escaped'
	&& $_->[1] =~ /query/ } @everything;

is(json($escaped->[1])->{response}{body},
	'{"query":"***","key":"***","same":"***"}',
	'one that has them as JSON does, or decoded');

my ($named) = grep { $_->[0] eq 'delivery of named'
	&& $_->[1] =~ /"code":401/ } @everything;

is(json($named->[1])->{response}{body}, '***, ***',
	'the name of a user, as that of a key may stand there');

my ($relayed) = grep { $_->[0] eq 'delivery of relayed'
	&& $_->[1] =~ /"code":407/ } @everything;

is(json($relayed->[1])->{response}{body}, 'user, ***, ***',
	'an answer of a proxy');

ok($t->reload(), 'reload');
ok(wait_for { $t->get('/status/hooks')->status == 200 }, 'status');

push @everything, [ 'error log', $t->error_log() ],
	[ 'stderr', read_file($t->dir() . '/stderr') ],
	map { [ "headers at $_->{target}", join "\n", map { "$_->[0]: $_->[1]" }
		$_->headers() ] } $r->requests();

for my $name (sort keys %secret) {
	my $base64 = encode_base64($secret{$name}, '');
	$base64 =~ s/.=*\z//;

	my @found = map { $_->[0] } grep {
		$_->[1] =~ /\Q$secret{$name}\E|\Q$base64\E/i
			&& !($sent{$name} && $_->[0] =~ /^headers/)
	} @everything;

	is(join(', ', @found), '', "secret of $name");
}

my $text = join "\n", map { $_->[1] } @everything;

like($text, qr/V1sibleStep/, 'the search would find it');
unlike($text, qr/\Q$whsec\E|\Q$whsk\E/, 'no key as it is written');
unlike($t->access_log(), qr{POST /(?:good|via|launch/)}, 'no access logged');

$t->done(more => 1);

###############################################################################

# the debug log: nginx itself prints what clients send and what proxy_pass
# sends, and with that what is evaluated from variables, and the URI of each of
# its requests, those of deliveries among them; no other secret stands there,
# and none in a line of ours

$t = WebhookTest->new(env => $t->{env}, workers => 1);
$up = $t->upstream('up');
$cert = $t->cert('tls');
$tls = $t->receiver('tls', tls => $cert);
$r = $t->receiver('r', rules => { '/hangs' => { drop => 'hang' },
	'/fails' => { status => 500, body => $secret{EchoBody} } });
$t->port('closed');
$t->file('header', "$secret{File}\n");
$t->file('url', $r->url("/$secret{Path}/of/it\n"));

my $built_in = join '', map { $lines{$_} }
	grep { $lines{$_} !~ / via / } sort keys %lines;

$t->http_config(<<"EOF", main => "$env error_log %%TESTDIR%%/debug.log debug;");

webhook_redact owned_thing password passwd secret token authorization apikey
               privatekey credential;

webhook_api test {
    execution "";
    id /id;
    state /status;
    omit /meta /steps/*/data;
    route POST /launch { launch; }
}

webhook_defaults {
    secret $secret{Signing} $whsec $whsk;
    header X-File file:%%TESTDIR%%/header;
    header X-Env env:WEBHOOK_TEST_SECRET;
    header Authorization "Bearer $secret{Literal}";
    header Cookie "id=$secret{Cookie}";
    header X-Api-Key $secret{Basic};
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location / {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe test;

        webhook path { url file:%%TESTDIR%%/url; retry off; }

        $built_in
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF

$t->run();

$up->set('/launch' => { json => $document });
$t->post('/launch', qq({"password":"$secret{CallerBody}"}));

$settled = wait_for {
	my $list = $t->get('/status/hooks')->json->{hooks};

	return !grep { $_->{waiting} + $_->{in_flight} } grep {
		$_->{name} ne 'waits' && $_->{state} eq 'ok' } @$list;
} 20;

ok($settled, 'debug log - all that can end has ended');

$d = $t->get('/status/deliveries?limit=100')->json->{deliveries};
$t->get("/status/deliveries/$_->{uuid}") for @$d;

my $log = read_file($t->dir() . '/debug.log');

SKIP: {
	skip 'nginx has no debug log', 1 unless $log =~ /\[debug\]/;

	like($log, qr/\[debug\].*webhook/, 'debug log - there is one');

	my $ours = join "\n", grep { /webhook/ } split /\n/, $log;

	my @found = grep {
		my $base64 = encode_base64($secret{$_}, '');
		$base64 =~ s/.=*\z//;

		my $lines = /^(?:Caller[ACT]|Variable|Mixed|Path|Query|Flag)/
			? $ours : $log;

		$lines =~ /\Q$secret{$_}\E|\Q$base64\E/i
	} sort keys %secret;

	is(join(' ', @found), '', 'debug log - no secret');
	unlike($log, qr/\Q$whsec\E|\Q$whsk\E/, 'debug log - no key');
}

$t->done(more => 1);

###############################################################################

# shared memory has a header that was evaluated as long as its delivery waits

$t = WebhookTest->new(workers => 1);
$up = $t->upstream('up');
$r = $t->receiver('r', rules => { '/waits' => { status => 503,
	body => "you sent $secret{Variable}" } });

$t->http_config(<<'EOF');

webhook_zone zone=webhooks:1m;

webhook_api test {
    id /id;
    route POST /launch { launch; }
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location / {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe test;

        webhook_defaults {
            events EXECUTION;
            header X-Variable "$http_x_secret and $http_x_long";
        }

        webhook good { url %%URL_r%%/good; }
        webhook waits { url %%URL_r%%/waits; retry 1h; }
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF

$t->run();

SKIP: {
	skip 'memory cannot be read', 3 unless defined zone();

	$up->set('/launch' => { json => { id => 1, shown => 'V1sible' } });
	$t->post('/launch', '{}', headers => [ 'X-Secret' => $secret{Variable},
		'X-Long' => 'x' x 2000 ]);

	ok($r->wait_request(sub { $_[0]->path eq '/waits' }), 'shared - sent');
	like(zone(), qr/\Q$secret{Variable}/, 'shared - it is there');

	$r->set('/waits' => { status => 204 });
	act("hooks/waits/$_") for qw/ pause resume /;

	ok(wait_for { zone() !~ /\Q$secret{Variable}/ },
		'shared - nothing is left');
}

$t->done();

###############################################################################

# all that workers share

sub zone {
	my ($pid) = $t->worker_pids();
	my $all;

	open my $f, '<:raw', "/proc/$pid/mem" or return;

	for (split /\n/, read_file("/proc/$pid/maps")) {
		no warnings 'portable';

		my ($from, $to) = m!^(\w+)-(\w+) rw-s .*/dev/zero! or next;
		$from = hex $from;

		sysseek $f, $from, 0 or return;
		defined sysread $f, my $part, hex($to) - $from or return;
		$all .= $part;
	}

	return $all;
}

# an answer with its headers

sub whole {
	my ($response) = @_;

	return join "\n", (map { "$_->[0]: $_->[1]" } $response->headers()),
		$response->body;
}

sub act {
	my ($path, $body) = @_;

	return whole($t->post("/status/$path", $body || '', headers => [
		'X-Webhook-Write' => 1, @caller ]));
}

###############################################################################
