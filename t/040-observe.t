#!/usr/bin/perl

# Which responses are read, by the events that a request says it caused.  The
# realm is taken from a header, so that one document can be seen as new again.

###############################################################################

use warnings;
use strict;

use IO::Compress::Gzip qw/ gzip /;
use MIME::Base64 qw/ encode_base64 /;
use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 2);
my $up = $t->upstream('up');
my $dir = $t->dir();

my $dav = `$t->{binary} -V 2>&1` =~ /--with-http_dav_module/;

mkdir "$dir/html/$_" for qw/ ex pages put /;

$t->http_config(<<'EOF' =~ s/DAV/$dav ? 'dav_methods PUT;' : ''/er);

log_format events '$request_method $request_uri $status events=$webhook_events';
access_log %%TESTDIR%%/access.log events;

proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;
webhook_buffer_size 64k;
webhook_observe test realm=$http_x_realm;

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location / {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
    }

    location /abort/ {
        proxy_pass %%URL_up%%;
    }

    location /off/ {
        webhook_observe off;
        proxy_pass %%URL_up%%;
    }

    location /none/ {
        webhook_observe other;
        proxy_pass %%URL_up%%;
    }

    location /unbuffered/ {
        proxy_pass %%URL_up%%;
        proxy_buffering off;
    }

    location /cached/ {
        proxy_pass %%URL_up%%;
        proxy_cache cache;
        proxy_cache_valid any 1h;
        add_header X-Cache $upstream_cache_status;
        sendfile on;
    }

    location /files/ {
        alias %%TESTDIR%%/html/ex/;
        sendfile on;
        gzip_static on;
    }

    location /pages/ {
        root %%TESTDIR%%/html;
        ssi on;
        ssi_types *;
    }

    location /return/ {
        return 200 '{"id":"return-$arg_id","status":"running"}';
    }

    location /old/ {
        rewrite ^/old/(.*)$ /new/$1 break;
        proxy_pass %%URL_up%%;
    }

    location /moved/ {
        rewrite ^/moved/(.*)$ /target/$1 last;
    }

    location /target/ {
        proxy_pass %%URL_up%%;
    }

    location /tried/ {
        root %%TESTDIR%%/html;
        try_files /nothing /ex/plain.json =404;
    }

    location /named/ {
        root %%TESTDIR%%/html;
        try_files /nothing @up;
    }

    location @up {
        proxy_pass %%URL_up%%;
    }

    location /failing/ {
        proxy_pass %%URL_up%%;
        proxy_intercept_errors on;
        error_page 500 502 =200 /ex/plain.json;
        error_page 404 /ex/plain.json;
    }

    location /accel/ {
        proxy_pass %%URL_up%%;
    }

    location /ex/ {
        root %%TESTDIR%%/html;
        internal;
    }

    location /post-action/ {
        proxy_pass %%URL_up%%;
        post_action @up;
    }

    location /put/ {
        root %%TESTDIR%%/html;
        DAV
    }
}

webhook_api other {
    id      /id;
    state   /status;
    states  STARTED running;
    route GET /nowhere { }
}

webhook_api test {
    id          /id;
    execution   "";
    state       /status;
    states      LAUNCHED queued;
    states      STARTED running;
    states      FINISHED done;

    route POST,PUT /launch/*    { launch; }
    route POST /accel/launch    { launch; }
    route POST /body            { launch; id $request_body; }
    route POST /number          { launch; id ""; }
    route POST /text body=text  { launch; id ""; }
    route POST ~^/bare/(?<bare_id>[^/]+)$ { launch; id $bare_id; execution $bare_id; }
    route PUT ~^/put/(?<put_id>[^/]+)$ body=off { launch; id $put_id; }
    route GET /list/*           { each /items/*; }
    route GET /ignored/*        { ignore; }
    route GET /strict/* status=201 { }
    route GET /new/*            { ignore; }
    route GET /ex/*             { ignore; }
    route GET /target/*         { ignore; }
    route GET "/sp ace/*"       { }
    route GET ~^/(cached|files|pages|return|old|moved|tried|named|failing|accel|unbuffered|off|none|abort|post-action|doc)/ { }
}

EOF

$t->run();

###############################################################################

# the events of the latest request for this URI, once it is logged

my %seen;

sub events {
	my ($uri) = @_;

	my $events;

	wait_for {
		my @lines = $t->access_log() =~ /^\S+ \Q$uri\E (\d+ events=\S+)$/mg;
		return 0 if @lines <= ($seen{$uri} || 0);

		$seen{$uri}++;
		($events) = $lines[$seen{$uri} - 1] =~ /events=(.*)/;
		return 1;
	} 5;

	return defined $events ? $events : 'not logged';
}

my $realm = 0;

sub fresh { return (headers => [ 'X-Realm' => ++$realm, @_ ]) }

sub doc { return { id => $_[0], status => $_[1] || 'running' } }

sub is_read {
	my ($uri, $expected, $name, %o) = @_;

	my $method = $o{method} || 'GET';
	delete $o{method};

	my $r = $t->request($method, $uri, fresh(@{ delete $o{headers} || [] }),
		%o);
	is(events($uri), $expected, $name);

	return $r;
}

sub compress {
	my $all = '';

	for my $text (@_) {
		gzip(\$text => \my $out);
		$all .= $out;
	}

	return encode_base64($all, '');
}

# a document of that many bytes

sub sized {
	my ($size) = @_;

	my $head = '{"id":1,"status":"running","x":"';

	return $head . ('y' x ($size - length($head) - 2)) . '"}';
}

###############################################################################

$up->set('/doc/1' => { json => doc(1, 'queued') });
is_read('/doc/1', 1, 'poll of something queued');

$up->set('/doc/1' => [ { json => doc(1, 'queued') }, { json => doc(1) },
	{ json => doc(1) }, { json => doc(1, 'done') },
	{ json => doc(1, 'running') } ]);

for my $expected (1, 1, 0, 1, 0) {
	$t->get('/doc/1', headers => [ 'X-Realm' => 'steady' ]);
	is(events('/doc/1'), $expected, "one execution, events $expected");
}

$up->set('/doc/1' => { json => doc(1, 'done') });
is_read('/doc/1', 0, 'first seen final');

my @post = (method => 'POST', body => '');

$up->set('/launch/1' => { status => 201, json => doc(2, 'queued') });
is_read('/launch/1', 1, 'launch', @post);
is_read('/launch/1', 1, 'launch, PUT', method => 'PUT', body => '{}');
is_read('/launch/1', 0, 'no route for this method', method => 'PATCH',
	body => '');

$up->set('/launch/1' => { json => doc(2) });
is_read('/launch/1', 2, 'launched and started', @post);

$up->set('/launch/1' => { json => { id => 7 } });
is_read('/launch/1', 1, 'launch without a status', @post);

# where it is observed

$up->set("/$_/1" => { json => doc(1) }) for qw/ off none ignored unbuffered /;
is_read('/off/1', 0, 'off');
is_read('/none/1', 0, 'another description');
is_read('/ignored/1', 0, 'an ignored route');
is_read('/unbuffered/1', 1, 'unbuffered');
is_read('/unbuffered/1?a=b', 1, 'a query');

$up->set($_ => { json => doc(1) }) for '/%64%6fc/1', '/doc//x/../1',
	'/sp%20ace/1';
is_read('/%64%6fc/1', 1, 'an encoded path');
is_read('/doc//x/../1', 1, 'a path that is not plain');
is_read('/sp%20ace/1', 1, 'a space');

# statuses

$up->set("/doc/s$_" => { status => $_, json => doc(1) })
	for 201, 202, 204, 206, 226, 301, 304, 400, 401, 404, 409, 500, 503;

is_read("/doc/s$_", 1, "status $_") for 201, 202, 226;
is_read("/doc/s$_", 0, "status $_")
	for 204, 206, 301, 304, 400, 401, 404, 409, 500, 503;

$up->set('/strict/1' => [ { json => doc(1) },
	{ status => 201, json => doc(1) } ]);
is_read('/strict/1', 0, 'the route wants 201');
is_read('/strict/1', 1, 'it is 201');

is_read('/doc/s201', 0, 'HEAD', method => 'HEAD');

# no body at all

$up->set('/bare/x1' => [ { status => 204 }, { status => 202, body => '' },
	{ json => { any => 'thing' } }, { body => 'done!' } ]);
is_read('/bare/x1', 1, '204 on a route that needs no body', @post);
is_read('/bare/x1', 1, 'an empty body on such a route', @post);
is_read('/bare/x1', 1, 'a body that is not needed', @post);
is_read('/bare/x1', 0, 'a body that is not JSON', @post);

$up->set('/body' => { json => doc('ignored', 'queued') });
is_read('/body', 1, 'the id from $request_body', method => 'POST',
	body => 'b-1', headers => [ 'Accept-Encoding' => 'br, deflate' ]);
is_read('/body', 1, 'the id from $request_body, plain', method => 'POST',
	body => 'b-1');

# what is not read

my $running = '{"id":1,"status":"running"}';

my %not = (
	html => { headers => { 'Content-Type' => 'text/html' },
		body => '<!DOCTYPE html><html></html>' },
	text => { body => 'API is running' },
	number => { body => '12' },
	string => { body => '"{}"' },
	empty => { body => '' },
	spaces => { body => " \r\n\t " },
	bomalone => { body_b64 => encode_base64("\xef\xbb\xbf", '') },
	bomhtml => { body_b64 => encode_base64(
		"\xef\xbb\xbf<html></html>", '') },
	half => { body => '{"id":1,"status":"running"' },
	two => { body => "$running$running" },
	nothing => { body => 'null' },
	sse => { headers => { 'Content-Type' => 'text/event-stream; a=b' },
		body => $running },
	brotli => { headers => { 'Content-Encoding' => 'br' },
		body => $running },
	deflate => { headers => { 'Content-Encoding' => 'deflate' },
		body => $running },
	mislabeled => { headers => { 'Content-Encoding' => 'gzip' },
		body => $running },
	gzhtml => { gzip => 1, body => '<html>' . ('x' x 50000) . '</html>' },
	big => { body => '{"id":18446744073709551616,"status":"running"}' },
	noid => { json => { status => 'running' } },
);

for my $name (sort keys %not) {
	$up->set("/doc/not-$name" => $not{$name});
	is_read("/doc/not-$name", 0, "not read: $name");
}

my %read = (
	'white space' => { body => " \n\t\r$running\n" },
	bom => { body_b64 => encode_base64("\xef\xbb\xbf$running", '') },
	'bom, dripping' => { piece => 1, gap => 1,
		body_b64 => encode_base64("\xef\xbb\xbf$running", '') },
	'half a pair' => { body => '{"id":1,"status":"running","x":"\\ud83d"}' },
	'bom, gzip' => { headers => { 'Content-Encoding' => 'gzip' },
		body_b64 => compress("\xef\xbb\xbf$running") },
	identity => { headers => { 'Content-Encoding' => 'identity' },
		json => doc(1) },
	'text/html' => { headers => { 'Content-Type' => 'text/html' },
		body => $running },
	gzip => { gzip => 1, json => doc(1) },
	'gzip, upper case' => { headers => { 'Content-Encoding' => 'X-GZIP' },
		body_b64 => compress($running) },
	'gzip, white space' => { gzip => 1, body => (' ' x 2000) . $running },
	'gzip, members' => { headers => { 'Content-Encoding' => 'gzip' },
		body_b64 => compress('{"id":1,', '"status":"running"}') },
	'gzip, dripping' => { gzip => 1, json => doc(1), piece => 1, gap => 1 },
	'chunked' => { chunked => 3, json => doc(1) },
	'chunked, gzip' => { gzip => 1, chunked => 5, json => doc(1) },
	'chunked, dripping' => { chunked => 2, json => doc(1), piece => 1,
		gap => 1 },
	'close' => { raw => "HTTP/1.0 200 OK\r\n\r\n$running",
		then => 'close' },
	'chunked, cut off after the document' => { raw => "HTTP/1.1 200 OK\r\n"
		. "Transfer-Encoding: chunked\r\n\r\n1b\r\n$running\r\n",
		then => 'close' },
);

for my $name (sort keys %read) {
	$up->set('/doc/read' => $read{$name}, '/unbuffered/read' => $read{$name});

	is_read($_, 1, "read: $name, $_") for '/doc/read', '/unbuffered/read';
}

# sizes

for my $how ([], [ chunked => 4096 ], [ chunked => 16384, gzip => 1 ],
	[ gzip => 1 ])
{
	$up->set('/doc/fits' => { @$how, body => sized(65536) },
		'/doc/larger' => { @$how, body => sized(65537) });

	is_read('/doc/fits', 1, "as large as allowed: @$how");

	my $r = is_read('/doc/larger', 0, "a byte too large: @$how");
	is(length $r->body, 65537, 'passed on') unless "@$how" =~ /gzip/;
}

my $large = () = $t->grep_log(qr/larger than webhook_buffer_size/);
ok($large == 1 || $large == 2, 'logged once by each worker');

$up->set('/doc/bomb' => { gzip => 1, body => sized(20 * 1024 * 1024) },
	'/doc/blank' => { gzip => 1, body => ' ' x (20 * 1024 * 1024) });
is_read('/doc/bomb', 0, 'a zip bomb');
is_read('/doc/blank', 0, 'a zip bomb of white space');

# truncated

$up->set('/doc/cut' => { json => doc('cut'), truncate => 10, then => 'close' },
	'/doc/cutc' => { json => doc('cut'), chunked => 4, truncate => 12,
		then => 'close' },
	'/doc/cutr' => { json => doc('cut'), truncate => 10, then => 'reset' });
is_read('/doc/cut', 0, 'cut off');
is_read('/doc/cutc', 0, 'cut off, chunked');
is_read('/doc/cutr', 0, 'reset');

# a number, or a line of text, does not say where it ends

for my $uri ('/number', '/text') {
	$up->set($uri => [ { body => 12345, truncate => 3, then => 'close' },
		{ raw => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			. "3\r\n123\r\n", then => 'close' },
		{ body => 12345, chunked => 2 },
		{ raw => "HTTP/1.0 200 OK\r\n\r\n12345", then => 'close' } ]);

	is_read($uri, 0, "cut off: $uri", method => 'POST');
	is_read($uri, 0, "cut off, chunked: $uri", method => 'POST');
	is_read($uri, 1, "whole, chunked: $uri", method => 'POST');
	is_read($uri, 1, "whole, until it closes: $uri", method => 'POST');
}

# lists

$up->set('/list/1' => { json => { items => [ map { doc($_) } 1 .. 700 ] } });
is_read('/list/1', 700, 'many executions');
$t->get('/list/1', headers => [ 'X-Realm' => $realm ]);
is(events('/list/1'), 0, 'the same again');

$up->set('/list/1' => { json => { items => [ map { doc($_) } 1 .. 1500 ] } });
is_read('/list/1', 1000, 'no more than a thousand');

# static files and caches

write_file("$dir/html/ex/plain.json", '{"id":"file","status":"running"}');
is_read('/files/plain.json', 1, 'a file');
is_read('/files/plain.json', 0, 'a part of a file',
	headers => [ Range => 'bytes=0-40' ]);

my $modified = $t->get('/files/plain.json')->header('last-modified');
events('/files/plain.json');
my $r = is_read('/files/plain.json', 0, 'not modified',
	headers => [ 'If-Modified-Since' => $modified ]);
is($r->status, 304, 'status 304');

gzip(\$running => "$dir/html/ex/gz.json.gz");
write_file("$dir/html/ex/gz.json", $running);
$r = is_read('/files/gz.json', 1, 'gzip_static',
	headers => [ 'Accept-Encoding' => 'gzip' ]);
is($r->header('content-encoding'), 'gzip', 'gzip_static, to the client');

$up->set('/cached/1' => { json => doc('cached', 'running'),
	headers => { 'Accept-Ranges' => 'bytes' } });

$r = is_read('/cached/1', 1, 'filling a cache');
is($r->header('x-cache'), 'MISS', 'a miss');

my $cached = $r->body;

$r = is_read('/cached/1', 1, 'from the cache');
is($r->header('x-cache'), 'HIT', 'a hit');
is($r->body, $cached, 'body from the cache');

$r = is_read('/cached/1', 0, 'a part from the cache',
	headers => [ Range => 'bytes=0-9' ]);
is($r->status, 206, 'status 206');
is($r->body, substr($cached, 0, 10), 'the part');

is_read('/cached/1', 0, 'HEAD from the cache', method => 'HEAD');

# ways inside

is_read('/return/?id=1', 1, 'return');

$up->set('/new/1' => { json => doc('new') }, '/new/%31' => { json => doc(1) });
is_read('/old/1', 1, 'the route of the path before a rewrite');
is_read('/old/x/../%31', 1, 'a rewrite of a path that was not plain');

$up->set('/target/1' => { json => doc('moved') });
is_read('/moved/1', 1, 'rewrite to another location');
is_read('/tried/1', 1, 'try_files');

$up->set('/named/1' => { json => doc('named') });
is_read('/named/1', 1, 'a named location');

$up->set('/failing/1' => { status => 500 });
is_read('/failing/1', 1, 'error_page with another status');
is_read('/failing/2', 0, 'error_page');

$up->set($_ => { headers => { 'X-Accel-Redirect' => '/ex/plain.json' } })
	for '/accel/1', '/accel/launch';
is_read('/accel/1', 1, 'X-Accel-Redirect');
is_read('/accel/launch', 2, 'X-Accel-Redirect of a POST', @post);

write_file("$dir/html/pages/index.html",
	'<!--# include virtual="/doc/ssi" -->');
write_file("$dir/html/pages/in.json", '{"id":"in","status":"running",'
	. '"x":<!--# include virtual="/doc/ssi" -->}');
$up->set('/doc/ssi' => { body => $running });
$r = is_read('/pages/index.html', 0, 'a subrequest');
is($r->body, $running, 'included');
$r = is_read('/pages/in.json', 0, 'a page with a subrequest');
is($r->body, qq/{"id":"in","status":"running","x":$running}/,
	'included in JSON');

$up->set('/post-action/1' => { json => doc('action') });
is_read('/post-action/1', 1, 'post_action');

SKIP: {

skip 'no dav', 4 unless $dav;

$r = is_read('/put/1', 1, 'a file that is put', method => 'PUT', body => 'x');
is($r->status, 201, 'put');
$r = is_read('/put/1', 1, 'one that is put again', method => 'PUT',
	body => 'x');
is($r->status, 204, 'put again');

}

# clients that leave

sub leave {
	my ($uri, $expected, $name, $read, $how) = @_;

	my $before = $up->requests($uri);
	my $c = $t->connect();
	$c->send_request('GET', $uri, fresh());
	wait_for { $up->requests($uri) > $before };

	$c->read_until($read) if $read;
	$how eq 'reset' ? $c->reset() : $c->close();

	is(events($uri), $expected, "$name, $how");
}

for my $how (qw/ close reset /) {
	$up->set('/abort/1' => { hold => 1, json => doc('abort') });
	leave('/abort/1', 0, 'before the answer', undef, $how);
	$up->release();

	$up->set('/doc/abort' => { delay => 300, json => doc('abort') });
	leave('/doc/abort', 1, 'before the answer, ignored', undef, $how);

	$up->set('/doc/abortc' => { delay => 300, chunked => 1000,
		json => doc('abort') });
	leave('/doc/abortc', 1, 'before the answer, ignored, chunked', undef,
		$how);

	$up->set('/abort/2' => { json => doc('abort'), piece => 1, gap => 50 });
	leave('/abort/2', 0, 'within the body', undef, $how);

	$up->set('/unbuffered/abort' => { json => doc('abort'), piece => 1,
		gap => 50 });
	leave('/unbuffered/abort', 0, 'within the body, unbuffered',
		qr/\r\n\r\n./, $how);
}

# two workers, one state

$up->set('/doc/many' => { json => doc('many') });

my $sum = 0;

for (1 .. 50) {
	$t->get('/doc/many', headers => [ 'X-Realm' => 'many' ]);
	$sum += events('/doc/many');
}

is($sum, 1, 'once, whichever worker saw it');

$t->done();

###############################################################################
