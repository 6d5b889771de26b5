#!/usr/bin/perl

# webhook_observe in the configuration: mistakes, and what nginx -t warns of.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new();

my $api = <<'EOF';

webhook_api one {
    id     /id;
    state  /status;
    states FINISHED done;
    route GET /x { }
}

webhook_api two {
    id     /id;
    state  /status;
    states FINISHED done;
    route GET  /x { }
    route POST /x { launch; }
}

EOF

sub hook {
	return "webhook $_[0] { url http://127.0.0.1:1/; retry off; queue 100; }";
}

sub server {
	my ($text) = @_;

	return "server { listen 127.0.0.1:%%PORT_0%%; server_name here;\n"
		. "$text\n}\n";
}

sub says {
	my ($text, $re, $name, %o) = @_;

	my ($ok, $said) = $t->test_config($text);

	is(!!$ok, !!$o{passes}, "$name - " . ($o{passes} ? 'passes' : 'refused'))
		or diag($said);

	return unlike($said, $re, "$name - not said") if $o{not};

	like($said, $re, $name);
}

sub refused { says(@_) }
sub warned { says(@_, passes => 1) }
sub quiet { says($_[0], qr/\[warn\]/, $_[1], passes => 1, not => 1) }

# mistakes

my $where = qr!in \S+test\.conf:\d+!;

refused($api . 'webhook_observe;', qr/invalid number of arguments/, 'no name');
refused($api . 'webhook_observe none;', qr/unknown webhook_api "none" $where/,
	'unknown');
refused($api . 'webhook_observe none;' . server(''),
	qr/unknown webhook_api "none" $where/, 'unknown, with a server');
refused($api . server('location / { webhook_observe one none; }'),
	qr/unknown webhook_api "none" $where/, 'unknown in a location');
refused($api . server('location ~ x { location ~ y { webhook_observe no; } }'),
	qr/unknown webhook_api "no" $where/, 'unknown in a nested regex location');
refused($api . server('location @x { webhook_observe no; }'),
	qr/unknown webhook_api "no" $where/, 'unknown in a named location');
refused($api . server('location = /x { webhook_observe no; }'),
	qr/unknown webhook_api "no" $where/, 'unknown in an exact location');
refused($api . server('location /a { } location /b { } location /bc/ '
	. '{ location /bc/d { webhook_observe no; } }'),
	qr/unknown webhook_api "no" $where/, 'unknown in a nested location');
refused($api . 'webhook_observe one one;', qr/duplicate webhook_api "one"/,
	'twice in a line');
refused($api . 'webhook_observe one; webhook_observe two;', qr/is duplicate/,
	'twice');
refused($api . 'webhook_observe off; webhook_observe two;', qr/is duplicate/,
	'twice, off');
refused($api . 'webhook_observe off one;', qr/"off" must stand alone/,
	'off and more');
refused($api . 'webhook_observe one realm=a realm=b;',
	qr/duplicate "realm"/, 'two realms');
refused($api . 'webhook_observe realm=a;', qr/needs the name/,
	'a realm alone');
refused($api . 'webhook_observe one realm=$nothing;',
	qr/unknown "nothing" variable/, 'an unknown variable');

# not mistakes

quiet('webhook_observe one;' . $api, 'before the description');
quiet($api . 'webhook_observe one two realm=$server_name;', 'a realm');
quiet($api . 'webhook_observe one realm=;', 'an empty realm');
quiet($api . server('webhook_observe one; location / { webhook_observe off; }'),
	'off');

# different webhooks

my $a = hook('a');
my $b = hook('b');

warned($api . server("webhook_observe one; location /a/ { $a }
	location /b/ { $b }"),
	qr/"one" is observed under different webhooks in location/,
	'different webhooks');
warned($api . server("webhook_observe one; location /a/ { $a }
	location ~ b { }"),
	qr/"one" is observed under different webhooks/, 'some and none');
warned($api . server("webhook_observe one; location /a/ { $a }
	location ~ b { }"),
	qr!location "/a/" of server "here"|location "b" of server "here"!,
	'places are named');
quiet($api . server("location /a/ { webhook_observe one realm=a; $a }
	location /b/ { webhook_observe one realm=b; $b }
	location /c/ { webhook_observe one; }"), 'of different realms');
warned($api . server("location /a/ { webhook_observe one realm=a; $a }
	location /b/ { webhook_observe one realm=b; $b }
	location /c/ { webhook_observe one realm=b; $a }"),
	qr!webhooks in location "/[bc]/" of server "here" and location "/[bc]/"!,
	'of one realm');
warned($api . server("location /a/ { webhook_observe one realm=a; $a }
	location /b/ { webhook_observe one realm=\$host; $b }"),
	qr/"one" is observed under different webhooks/, 'of any realm');
quiet($api . server("webhook_observe one; $a location /a/ { }
	location /b/ { } location \@c { }"), 'the same webhooks');
quiet($api . server("webhook_observe one; $a location /a/ { $b }
	location /b/ { $b } location / { $b }"), 'the same webhooks, inherited');
quiet($api . server("webhook_observe one; location / { $a }"),
	'a server that serves nothing itself');
quiet($api . server("webhook_observe one; $a location / { $b
	webhook_observe two; }"), 'different descriptions');

# where deliveries go is no place of the API's

my $via = 'webhook v { url http://127.0.0.1:1/; via @v; queue 100; }';
my $to = 'location @v { proxy_pass http://127.0.0.1:83; }';

quiet($api . server("webhook_observe two; location / { $via
	proxy_pass http://127.0.0.1:81; proxy_ignore_client_abort on; } $to"),
	'by via');
quiet($api . $via . server("webhook_observe two; location / { $a
	proxy_pass http://127.0.0.1:81; proxy_ignore_client_abort on; } $to"),
	'by via, of a webhook at http level');
warned($api . server("webhook_observe one; location / { $a } $to"),
	qr/under different webhooks in location/, 'another named location');

# different proxies

my $up = 'upstream u { server 127.0.0.1:1; } upstream v { server 127.0.0.1:2; }';

warned($api . $up . server('webhook_observe one; location /a/ { proxy_pass
	http://u; } location /b/ { proxy_pass http://v; }'),
	qr/"one" is observed in front of "(?:u" and "v|v" and "u)" without/,
	'different proxies');
warned($api . server('webhook_observe one; location /a/ { proxy_pass
	http://127.0.0.1:81; } location /b/ { proxy_pass http://127.0.0.1:82; }'),
	qr/of "127.0.0.1:8[12]" and "127.0.0.1:8[12]" without/,
	'different proxies on one machine');
quiet($api . $up . server('webhook_observe one; location /a/ { proxy_pass
	http://u; } location /b/ { proxy_pass http://u/c; }'), 'one proxy');
quiet($api . $up . server('webhook_observe one realm=$server_name; location
	/a/ { proxy_pass http://u; } location /b/ { proxy_pass http://v; }'),
	'different proxies, with a realm');
quiet($api . $up . server('webhook_observe one; location /a/ { proxy_pass
	http://u; } location /b/ { webhook_observe one realm=b; proxy_pass
	http://v; }'), 'different proxies, one with a realm');
quiet($api . $up . server('webhook_observe one; location /a/ { proxy_pass
	http://u; } location /b/ { proxy_pass http://$host; }'),
	'a proxy that a variable names');

# clients that leave early

warned($api . $up . server('webhook_observe two; location /a/ { proxy_pass
	http://u; }'), qr!"two" has launch routes, but location "/a/" of server!,
	'a launch route');
warned($api . $up . server('webhook_observe two; location /a/ {
	uwsgi_pass u; }'), qr/lacks "uwsgi_ignore_client_abort on"/, 'uwsgi');
quiet($api . $up . server('webhook_observe two; proxy_ignore_client_abort on;
	location /a/ { proxy_pass http://u; }'), 'a launch route, ignoring');
quiet($api . $up . server('webhook_observe one; location /a/ { proxy_pass
	http://u; }'), 'no launch route');
quiet($api . server('webhook_observe two; location /a/ { }'), 'no proxy');

$t->done();

###############################################################################
