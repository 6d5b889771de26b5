#!/usr/bin/perl

# What watch and enrich ask for runs in locations that do more than to proxy,
# as a client's request does: pages of errors, and answers of nginx's own.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 1);
my $api = $t->upstream('api');
my $r = $t->receiver('hook');
my $blackhole = $t->blackhole();

$t->cert('nginx');

my $conf = <<'EOF';

webhook_api jobs {
    id       /id $job;
    state    /status $status;
    states   LAUNCHED queued;
    states   STARTED running;
    states   FINISHED done 204;
    goal.id  /goal;

    watch_header  Authorization operators-own;

    route POST ~^/run/(?<where>\w+)$ {
        launch;
        watch   /$where/$webhook_execution every=100ms;
        enrich  goal.name /$where/${goal.id} ttl=0;
    }

    route GET /args/* { }
    route GET ~^/\w+/(?<job>\w+)$ { }
}

webhook_defaults { events EXECUTION; retry 1s; }

limit_req_zone    $host zone=slow:1m rate=1r/m;
proxy_cache_path  %%TESTDIR%%/cache keys_zone=kept:1m;

upstream gone {
    server  127.0.0.1:BLACKHOLE fail_timeout=1h;
    server  %%HOST_api%% backup;
}

server {
    listen  127.0.0.1:%%PORT_0%%;

    proxy_ignore_client_abort  on;
    proxy_intercept_errors     on;
    proxy_set_header           X-Page "";
    webhook_observe            jobs;
    webhook hook { url %%URL_hook%%/; }

    location / {
        proxy_pass  %%URL_api%%;
    }

    location /named/ {
        proxy_pass  %%URL_api%%;
        error_page  404 503 = @page;
    }

    location /dead/ {
        proxy_pass  http://127.0.0.1:%%PORT_none%%;
        error_page  502 = /page$uri;
    }

    location /page/ {
        internal;
        proxy_pass        %%URL_api%%/;
        proxy_set_header  X-Page yes;
    }

    location @page {
        proxy_pass        %%URL_api%%;
        proxy_set_header  X-Page yes;
    }

    location /twice/ {
        proxy_pass             %%URL_api%%;
        recursive_error_pages  on;
        error_page             404 = @first;
    }

    location @first {
        proxy_pass             %%URL_api%%;
        proxy_set_header       X-Page first;
        recursive_error_pages  on;
        error_page             409 = @page;
    }

    location /static/ {
        proxy_pass  %%URL_api%%;
        error_page  404 /404.json;
        error_page  503 = @away;
    }

    location = /404.json {
        internal;
        root             %%TESTDIR%%;
        webhook_observe  off;
    }

    location @away {
        proxy_pass        %%URL_api%%;
        proxy_set_header  X-Page away;
        webhook_observe   off;
    }

    location /plain/ {
        proxy_pass       %%URL_api%%;
        error_page       404 = @away;
        webhook_observe  off;
    }

    location /login/ {
        proxy_pass  %%URL_api%%;
        error_page  401 = @login;
    }

    location @login {
        return  302 /login;
    }

    location /slow/ {
        limit_req         zone=slow;
        limit_req_status  429;
        proxy_pass        %%URL_api%%;
    }

    location /empty/ {
        return  204;
    }

    location /accel/ {
        proxy_pass  %%URL_api%%;
        error_page  404 = @page;
    }

    location /scheme/ {
        proxy_set_header  X-Page $scheme,$https;
        proxy_pass        %%URL_api%%;
    }

    location /args/ {
        rewrite     ^/args/([^?]+)$ /asked?id=$1 break;
        proxy_pass  %%URL_api%%;
    }

    location /gone/ {
        proxy_pass             http://gone;
        proxy_connect_timeout  4s;
    }

    location /kept/ {
        proxy_cache                    kept;
        proxy_cache_key                $uri;
        proxy_cache_use_stale          updating;
        proxy_cache_background_update  on;
        error_page                     502 = @page;

        set  $to "%%URL_api%%";

        if (-f %%TESTDIR%%/down) {
            set  $to "http://unix:%%TESTDIR%%/none:";
        }

        proxy_pass  $to;
    }

    location /files/ {
        root             %%TESTDIR%%;
        webhook_observe  off;
        error_page       404 = @page;
    }

    location /status/ { webhook_status; webhook_observe off; }
}

server {
    listen  127.0.0.1:%%PORT_1%%;
    listen  127.0.0.1:%%PORT_tls%% ssl;

    ssl_certificate            %%TESTDIR%%/certs/nginx.pem;
    ssl_certificate_key        %%TESTDIR%%/certs/nginx.key;
    proxy_ignore_client_abort  on;
    proxy_set_header           X-Page $scheme,$https;
    webhook_observe            jobs;
    webhook hook { url %%URL_hook%%/; }

    location / {
        if ($scheme = http) {
            return  301 https://$host$request_uri;
        }

        proxy_pass  %%URL_api%%;
    }

    location /run/ {
        proxy_pass  %%URL_api%%;
    }
}

EOF

$conf =~ s/BLACKHOLE/$blackhole/;
$t->http_config($conf);
$t->file('404.json', '{"status":"done","name":"a page"}');
$t->allow(qr/Connection refused|limiting requests|No such file/);
$t->run();

###############################################################################

sub job {
	my ($id, $status, %o) = @_;
	return { json => { id => $id, status => $status, %o } };
}

# events of an execution, in order, when there are so many

sub events {
	my ($id, $n) = @_;
	my @events;

	wait_for {
		@events = grep { $_->{execution}{id} eq $id }
			map { $_->json } $r->requests();
		@events >= $n;
	};

	return @events;
}

sub names { join ' ', map { $_->{event} } events(@_) }

# requests for a path, by what their page has added

sub asked {
	my ($path) = @_;
	return join ' ', map { $_->header('x-page') || '-' }
		grep { $_->path() eq $path } $api->requests();
}

sub launch {
	my ($where, $id, %o) = @_;
	my $port = $t->port(delete $o{port} || 0);
	$api->set("/run/$where" => job($id, 'queued', %o));
	$t->post("/run/$where", '{}', port => $port);
}

sub watch { $t->get('/status/hooks')->json()->{watch} }

sub observed {
	my ($path) = @_;
	return join ' ', map { "$_->{reason} $_->{status}" }
		grep { $_->{path} eq $path }
		@{ $t->get('/status/observed')->json()->{observed} };
}

###############################################################################

# a page that is observed, too: what a client sees

$api->set('/named/n' => [ { status => 404 }, job('n', 'running'),
	{ status => 503 }, job('n', 'done') ]);
launch('named', 'n');
is(names('n', 3), 'LAUNCHED STARTED FINISHED', 'a named location');
is(asked('/named/n'), '- yes - yes', 'is asked for each error');

$api->set('/dead/d' => job('d', 'done'));
launch('dead', 'd');
is(names('d', 3), 'LAUNCHED STARTED FINISHED', 'an internal one');

$api->set('/twice/t' => [ { status => 404 }, { status => 409 },
	job('t', 'done') ]);
launch('twice', 't');
is(names('t', 3), 'LAUNCHED STARTED FINISHED', 'pages of pages');
is(asked('/twice/t'), '- first yes', 'in their order');

$api->set('/files/f' => job('f', 'done'));
launch('files', 'f');
is(names('f', 3), 'LAUNCHED STARTED FINISHED', 'of a location that is not');

is(watch()->{failed}, 0, 'none has failed');

# nginx's own answer

launch('empty', 'e');
is(names('e', 3), 'LAUNCHED STARTED FINISHED', 'an answer of nginx');

# one that is not observed: it is the error that counts

$t->mark_log();
$api->set('/static/s' => [ { status => 404 }, { status => 503 },
	job('s', 'done') ]);
launch('static', 's');
is(names('s', 3), 'LAUNCHED STARTED FINISHED', 'pages that are not observed');
is(asked('/static/s'), '- - -', 'are not asked for');
is(watch()->{failed}, 2, 'are failures');
ok($t->wait_log(qr/webhook_api "jobs" answered with status 404$/),
	'said, with the status');

$api->set('/login/l' => [ { status => 401 }, job('l', 'done') ]);
launch('login', 'l');
ok($t->wait_log(qr/credential of .* is refused with status 401,/),
	'a credential that is refused leads to a page');
is(watch()->{denied}, 1, 'is counted');

# nginx's own refusal

my $failed = watch()->{failed};

$api->set("/slow/w$_" => job("w$_", 'running')) for 1 .. 2;
launch('slow', "w$_") for 1 .. 2;
ok(wait_for { watch()->{failed} > $failed }, 'a limit');
is(scalar(() = $t->grep_log(qr/comes to no location/)), 0,
	'nobody says that there is no location');

# nor does a location that is not observed lead to another

$api->set('/plain/p' => { status => 404 });
launch('plain', 'p');
ok(wait_for { asked('/plain/p') =~ / / }, 'a location that is not observed');
is(asked('/plain/p'), '- -', 'and its page, which is not either');

# a server with TLS

$api->set('/scheme/t0' => job('t0', 'done'), '/scheme/gt' => { status => 404 },
	'/scheme/t1' => job('t1', 'done'));
launch('scheme', "t$_", port => $_, goal => 'gt') for 0 .. 1;
is(names("t$_", 3), 'LAUNCHED STARTED FINISHED', "server $_") for 0 .. 1;
is(asked('/scheme/t0'), 'http,', 'without TLS');
is(asked('/scheme/t1'), 'https,on', 'with TLS');
is(asked('/scheme/gt'), 'http, https,on', 'enrich');

# what "rewrite" moves into a query is one argument there, as of a client

my $id = "7&a=b HTTP/1.1\r\nX-Page: no\r\n\r\n";
my $as = '7%26a=b%20HTTP/1.1%0D%0AX-Page:%20no%0D%0A%0D%0A';

$api->set('/asked' => job($id, 'done'));
launch('args', $id, goal => 'g&a=b');
is(names($id, 3), 'LAUNCHED STARTED FINISHED', 'a rewrite');
$t->get('/args/' . $as =~ s!/!%2F!r);
is(join(' ', map { $_->query() } $api->requests('/asked')),
	"id=g%26a=b id=$as id=$as", 'what is asked, and by a client');
is(asked('/asked'), '- - -', 'and no header');

# a page does not steer

$api->set('/accel/a' => [ { status => 404 }, { status => 200,
	headers => { 'X-Accel-Redirect' => '/named/a' } }, job('a', 'done') ],
	'/named/a' => job('a', 'running'));
launch('accel', 'a');
is(names('a', 3), 'LAUNCHED STARTED FINISHED', 'a page that sends elsewhere');
is(asked('/named/a'), '', 'is not followed');

# nor does an answer, of which that is said

$t->mark_log();
$api->set('/named/go' => { status => 200,
	headers => { 'X-Accel-Redirect' => '/named/a' } });
$api->set('/named/o' => [ { status => 200,
	headers => { 'X-Accel-Redirect' => '/named/a' } }, job('o', 'done') ]);
launch('named', 'o', goal => 'go');
is(names('o', 3), 'LAUNCHED STARTED FINISHED', 'an answer that does');
ok($t->wait_log(qr/watch: no answer to .*: X-Accel-Redirect is not followed$/),
	'watch - said');
ok($t->wait_log(qr/enrich: no usable .*: X-Accel-Redirect is not followed$/),
	'enrich - said');

###############################################################################

# enrich

sub goal {
	my ($where, $id, $goal) = @_;
	launch($where, $id, goal => $goal || "g$id");
	my ($event) = events($id, 1);
	return $event->{goal}{name};
}

$api->set('/named/gen' => [ { status => 404 }, { json => { name => 'N' } } ],
	'/named/en' => job('en', 'done'));
is(goal('named', 'en'), 'N', 'enrich - a named location');

$api->set('/dead/ged' => { json => { name => 'D' } },
	'/dead/ed' => job('ed', 'done'));
is(goal('dead', 'ed'), 'D', 'enrich - an internal one');

$api->set('/static/ges' => { status => 404 },
	'/static/es' => job('es', 'done'));
is(goal('static', 'es'), undef, 'enrich - a page that is not observed');
is(asked('/static/ges'), '-', 'enrich - is not asked for');
is(observed('/static/ges'), 'not enriched 404', 'enrich - the error is shown');

$api->set('/static/geu' => { status => 503 },
	'/static/eu' => job('eu', 'done'));
is(goal('static', 'eu'), undef, 'enrich - another');
is(observed('/static/geu'), 'not enriched 503', 'enrich - and its error');

$api->set('/login/gel' => { status => 401 },
	'/login/el' => job('el', 'done'));
is(goal('login', 'el'), undef, 'enrich - a page that sends elsewhere');
is(observed('/login/gel'), 'not enriched 302', 'enrich - is what there is');

$api->set('/files/ef' => job('ef', 'done'),
	'/files/gef' => { json => { name => 'F' } });
is(goal('files', 'ef'), undef, 'enrich - not by way of what is not observed');

# a server that takes no connection is found out, as by a client's request: it
# would be tried again by clients

$t->allow(qr/temporarily disabled|timed out/);
$t->mark_log();
$api->set('/run/gone' => job('e', 'done', goal => 'ge'),
	'/gone/e' => job('e', 'done'));
$t->post('/run/gone', '{}');
is((events('e', 1))[0]{goal}{name}, undef, 'enrich - nobody answers');
ok($t->wait_log(qr/temporarily disabled while connecting/),
	'enrich - and nginx is waited for');
is($t->get('/gone/e')->status, 200, 'enrich - a client is sent elsewhere');
is(asked('/gone/ge'), '', 'enrich - and nobody is asked in its stead');

# an answer of the cache, which cannot be brought up to date

$api->set('/kept/gek' => { json => { name => 'K' },
	headers => { 'X-Accel-Expires' => '@1' } },
	"/kept/ek$_" => job("ek$_", 'done')) for 1 .. 2;
is(goal('kept', 'ek1', 'gek'), 'K', 'enrich - an answer to keep');
$t->file('down', '');
is(goal('kept', 'ek2', 'gek'), 'K', 'enrich - an old one');

$t->done(more => 1);

###############################################################################

# lua, a module of the installed nginx

SKIP: {

my $lua = '/usr/lib/nginx/modules/ngx_http_lua_module.so';

skip 'no lua', 1 unless -e $lua && !$ENV{WEBHOOK_SANITIZE}
	&& ($ENV{WEBHOOK_NGINX} || '/usr/sbin/nginx') eq '/usr/sbin/nginx';

# its filters come after ours, and before

for my $first (1, 0) {

my @lua = ('/usr/lib/nginx/modules/ndk_http_module.so', $lua);
my $order = 'lua, loaded ' . ($first ? 'first' : 'last');

$t = WebhookTest->new(workers => 1, $first ? (modules => [ @lua ]) : ());
push @{ $t->{modules} }, @lua unless $first;
$api = $t->upstream('api');
$r = $t->receiver('hook');

$t->http_config(<<'EOF');

webhook_api jobs {
    id       /id;
    state    /status;
    states   LAUNCHED queued;
    states   FINISHED done;
    goal.id  /goal;

    watch    /jobs/$webhook_execution every=100ms;
    enrich   goal.name /goals/${goal.id};

    watch_header  Authorization operators-own;

    route POST /run { launch; }
    route GET /jobs/* { }

    route POST /run/capture {
        launch;
        watch   /capture/$webhook_execution every=100ms;
        enrich  goal.name /capture/${goal.id} ttl=0;
    }

    route GET /capture/* { }
}

webhook_defaults { events EXECUTION; retry 1s; }

server {
    listen  127.0.0.1:%%PORT_0%%;

    webhook_observe            jobs;
    proxy_ignore_client_abort  on;

    webhook hook { url %%URL_hook%%/; via @hook; }

    rewrite_by_lua_block {
        ngx.req.set_header('X-Lua', 'by ' .. ngx.var.request_method)
    }

    location / {
        proxy_pass  %%URL_api%%;
    }

    location /goals/ {
        content_by_lua_block {
            ngx.header.content_type = 'application/json'
            ngx.say('{"name":"of ' .. ngx.req.get_method() .. '"}')
        }
    }

    location /capture/ {
        mirror  /mirror;

        content_by_lua_block {
            local part = ngx.location.capture('/part' .. ngx.var.uri)

            ngx.status = part.status
            ngx.header.content_type = 'application/json'
            ngx.print(part.body)
        }
    }

    location /part/ {
        internal;
        proxy_pass  %%URL_api%%;
    }

    location /mirror {
        internal;
        proxy_pass  %%URL_api%%;
    }

    location /inside/ {
        internal;
        proxy_pass  %%URL_api%%;
    }

    location /part/capture/ended {
        internal;
        return  444;
    }

    location @hook {
        include     %%CONF%%/webhook/via.conf;
        proxy_pass  %%URL_hook%%;
    }
}

EOF

$t->run();

$api->set('/run' => job('a', 'queued', goal => 'g'),
	'/jobs/a' => job('a', 'done'));
$t->post('/run', '{}');

is(names('a', 3), 'LAUNCHED STARTED FINISHED', 'lua - all events');
is((events('a', 1))[0]{goal}{name}, 'of GET', 'lua - its own answer');
is(join(' ', map { $_->header('x-lua') } $api->requests()), 'by POST by GET',
	'lua - a header that it adds');
is(join(' ', map { $_->header('x-lua') } $r->requests()),
	'by POST by POST by POST', 'lua - by via, too');

# what it captures is part of an answer; what is mirrored is not asked for, and
# X-Accel-Redirect is not followed

$api->set('/run/capture' => [ map { job($_, 'queued', goal => "g$_") }
		qw/ b c d e ended / ],
	'/inside/c' => job('c', 'done'),
	map {; "/part/capture/g$_" => { json => { name => "of $_" } },
		"/part/capture/$_" => job($_, 'done') } qw/ b c d e /);
$api->set('/part/capture/c' => { status => 200,
		headers => { 'X-Accel-Redirect' => '/inside/c' } },
	'/part/capture/gd' => { delay => 60 },
	'/part/capture/e' => [ { status => 204 }, { delay => 60 } ]);
$api->forget();

$t->post('/run/capture', '{}', headers => [ Authorization => 'caller' ])
	for 1 .. 5;

is(names('b', 3), 'LAUNCHED STARTED FINISHED', "$order - of a part");
is((events('b', 1))[0]{goal}{name}, 'of b', "$order - enriched by a part");
is(names('d', 3), 'LAUNCHED STARTED FINISHED', "$order - a part in no time");
is((events('d', 1))[0]{goal}{name}, undef, "$order - which is left out");
ok(wait_for { $api->requests('/part/capture/e') == 2 }, "$order - hangs");
ok(wait_for { $api->requests('/part/capture/c') > 1 }, "$order - is refused");
ok($t->wait_log(qr/watch: no answer .*: X-Accel-Redirect is not followed$/),
	"$order - said");
is(scalar(() = $t->grep_log(qr/credential/)), 0, "$order - of no credential");
is(scalar(grep { ($_->header('authorization') || '') eq 'operators-own' }
	$api->requests('/part/capture/b')), 1, "$order - with the credential");
is(scalar(grep { ($_->header('authorization') || '') eq 'operators-own' }
	$api->requests('/mirror'), $api->requests('/inside/c')), 0,
	"$order - which goes nowhere else");

$t->done(more => 1);

}

}

# njs, whose filter of bodies keeps the end of a subrequest's to itself

SKIP: {

my $js = '/usr/lib/nginx/modules/ngx_http_js_module.so';

skip 'no njs', 1 unless -e $js && !$ENV{WEBHOOK_SANITIZE}
	&& ($ENV{WEBHOOK_NGINX} || '/usr/sbin/nginx') eq '/usr/sbin/nginx';

$t = WebhookTest->new(workers => 1);
push @{ $t->{modules} }, $js;
$api = $t->upstream('api');
$r = $t->receiver('hook');

$t->file('own.js', <<'EOF');
function pass(r, data, flags) { r.sendBuffer(data, flags); }
async function part(r) {
    const reply = await r.subrequest('/part' + r.uri);
    r.return(reply.status, reply.responseText);
}
export default { pass, part };
EOF

$t->http_config(<<'EOF');

js_path    %%TESTDIR%%;
js_import  own from own.js;

webhook_api jobs {
    id       /id;
    state    /status;
    states   LAUNCHED queued;
    states   FINISHED done;
    goal.id  /goal;

    watch    /jobs/$webhook_execution every=100ms;
    enrich   goal.name /goals/${goal.id} pointer=/name pointer= ttl=0;

    route POST /jobs { launch; }
    route GET /jobs/* { }
}

webhook_defaults { events EXECUTION; }

server {
    listen  127.0.0.1:%%PORT_0%%;

    webhook_observe            jobs;
    proxy_ignore_client_abort  on;

    webhook hook { url %%URL_hook%%/; }

    location / {
        proxy_pass      %%URL_api%%;
        js_body_filter  own.pass;
    }

    location = /jobs/c {
        js_content  own.part;
    }

    location /part/ {
        proxy_pass  %%URL_api%%/;
    }
}

EOF

$t->run();

$api->set('/jobs' => job('a', 'queued', goal => 'g'),
	'/jobs/a' => job('a', 'done', goal => 'g'),
	'/goals/g' => { json => { name => 'x' } });
$t->post('/jobs', '{}');

is(names('a', 3), 'LAUNCHED STARTED FINISHED', 'njs - all events');
is(join(' ', map { $_->{goal}{name} || 'none' } events('a', 3)), 'x x x',
	'njs - enriched');

# a number may be the half of one

$api->set('/jobs' => job('b', 'queued', goal => 'n'),
	'/jobs/b' => job('b', 'done', goal => 'n'),
	'/goals/n' => { body => '12' });
$t->post('/jobs', '{}');

is(names('b', 3), 'LAUNCHED STARTED FINISHED', 'njs - a number');
is(join(' ', map { $_->{goal}{name} || 'none' } events('b', 3)),
	'none none none', 'njs - not taken');

# its subrequests are refused, and that is said, not that a credential is

$api->set('/jobs' => job('c', 'queued'));
$t->post('/jobs', '{}');

ok($t->wait_log(qr/watch: no answer .*: a subrequest of its location is refused/),
	'njs - a subrequest');

$t->done(more => 1);

}

done_testing();

###############################################################################
