#!/usr/bin/perl

# API descriptions (webhook_api): what nginx -t accepts, and how it refuses the
# rest, with file and line.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new();
my $file = $t->dir() . '/test.conf';

# what stands in the block and what is said of it; the line marked "# <<" is
# the one named; an id and a route are added, %bare: no id, %none: no route,
# %R: it stands in a route

sub check {
	my ($what, $expected) = @_;

	my ($flags, $text) = $what =~ /^((?:%\w+ )*)(.*)/s;

	$text = "route GET /x { $text\n}" if $flags =~ /%R/;
	$text = "id /id;\n$text" unless $flags =~ /%bare/;
	$text = "$text\nroute GET /y { }" unless $flags =~ /%none/;

	whole($what, "webhook_api a {\n$text\n}", $expected);
}

sub whole {
	my ($name, $text, $expected) = @_;

	$name =~ s/\s+/ /g;

	my ($ok, $said) = $t->test_config($text);

	my @lines = split /\n/, read_file($file);
	my ($line) = grep { $lines[$_ - 1] =~ /# <</ } 1 .. @lines;

	subtest $name => sub {
		if (defined $expected) {
			ok(!$ok, 'refused');

			my $where = defined $line ? "$file:$line" : $file;
			like($said, qr/\[emerg\].*?\Q$expected\E.* in \Q$where\E/,
				'said');

		} else {
			ok($ok, 'accepted');
			unlike($said, qr/\[(?:warn|error|emerg|alert|crit)\]/,
				'nothing said');
		}

		diag($said) unless Test::More->builder->is_passing();
	};
}

# names and places

whole('no argument', "webhook_api { # <<\nroute GET /x { id /id; } }",
	'invalid number of arguments in "webhook_api" directive');
whole('no block', "webhook_api a; # <<",
	'directive "webhook_api" has no opening "{"');
whole('in server', "server { webhook_api a { # <<\n} }",
	'"webhook_api" directive is not allowed here');
whole('empty name', "webhook_api '' { # <<\n}",
	'invalid name "" of "webhook_api"');
whole('the name off', "webhook_api off { # <<\n}",
	'invalid name "off" of "webhook_api"');
whole('a name as a parameter', "webhook_api realm=x { # <<\n}",
	'invalid name "realm=x" of "webhook_api"');
whole('twice', "webhook_api a { route GET /x { id /i; } }\n" .
	"webhook_api a { # <<\n}", 'duplicate "webhook_api" "a"');
whole('twice, where', "webhook_api a { route GET /x { id /i; } }\n" .
	"webhook_api a { # <<\n}", "the first one is in $file:");
whole('two', "webhook_api a { route GET /x { id /i; } }\n" .
	"webhook_api b { route GET /x { id /i; } }");
whole('no route', "webhook_api a { id /id;\n} # <<",
	'"webhook_api" "a" has no "route"');
whole('an empty block', "webhook_api a { } # <<",
	'"webhook_api" "a" has no "route"');

check("foo 1; # <<", 'unknown directive "foo"');
check("%R foo; # <<", 'unknown directive "foo"');
check("listen 80; # <<", '"listen" directive is not allowed here');
check("launch; # <<", '"launch" directive is not allowed here');
check("rerun; # <<", '"rerun" directive is not allowed here');
check("ignore; # <<", '"ignore" directive is not allowed here');
check("%R route GET /z { # <<\n}", '"route" directive is not allowed here');
check("route GET /z; # <<", 'directive "route" has no opening "{"');
check("id2 /id { # <<\n}", 'unknown directive "id2"');
check("omit /id { # <<\n}", 'directive "omit" is not terminated by ";"');

for my $name (qw/ id state updated run each omit require execution goal sender
	project snapshot organization sender.email /)
{
	check("%bare $name; # <<\nroute GET /z { id /id; }",
		"invalid number of arguments in \"$name\" directive");
	whole("$name in http", "$name /id; # <<\n",
		$name =~ /\.|^(?:exec|goal|sender|proj|snap|orga)/
		? "unknown directive \"$name\""
		: "\"$name\" directive is not allowed here");
}

check("states FINISHED; # <<",
	'invalid number of arguments in "states" directive');
check("present FINISHED; # <<",
	'invalid number of arguments in "present" directive');
check("route GET { # <<\n}",
	'invalid number of arguments in "route" directive');
check("%R launch now; # <<",
	'invalid number of arguments in "launch" directive');

# duplicates

for my $name (qw/ id state updated run execution goal sender.email
	project.name execution.url /)
{
	check("%bare %none $name /a;\n$name /b; # <<\nroute GET /z { id /id; }",
		"\"$name\" directive is duplicate");
}

check("%R launch;\nlaunch; # <<", '"launch" directive is duplicate');
check("%R launch;\nignore; # <<",
	'"ignore" cannot be used with "launch" in one route');
check("%R rerun;\nlaunch; # <<",
	'"launch" cannot be used with "rerun" in one route');
check("%R ignore;\nrerun; # <<",
	'"rerun" cannot be used with "ignore" in one route');

check("omit /a; omit /b /c; require /a; require /b; state /s; states FINISHED a; " .
	"states FINISHED b; present STARTED /a; present STARTED /b; " .
	"goal.id /a; goal.name /b; sender /c; sender.id /d;");
check("%R state /a; updated /a; run /a; each /a; id /a; execution /a; " .
	"goal /b; launch; states FINISHED a;");

# members may have any name

check("execution.a-b_C9 /a; organization.name 'Acme Ltd';");
check("execution.a.b /a; # <<", 'unknown directive "execution.a.b"');
check("execution. /a; # <<", 'unknown directive "execution."');
check("other.name /a; # <<", 'unknown directive "other.name"');
check("goal Acme; # <<",
	'text cannot be a whole "goal", use "goal.id" or "goal.name"');
check("execution \$arg_id;");

# pointers

check("state /a~2b; # <<", 'invalid JSON Pointer "/a~2b": ');
check("omit a; # <<", 'invalid JSON Pointer "a": ');
check("each a; # <<", 'invalid JSON Pointer "a": ');
check("require a; # <<", 'invalid JSON Pointer "a": ');
check("present STARTED a; # <<", 'invalid JSON Pointer "a": ');
check("present STARTED a=b; # <<", 'invalid JSON Pointer "a": ');
check("omit ''; # <<", '"omit" directive cannot omit the whole document');
check("%bare id /a/*; # <<\nroute GET /z { }",
	'invalid JSON Pointer "/a/*": ');
check("run /a/*; # <<", 'invalid JSON Pointer "/a/*": ');
check("execution /a/*; # <<", 'invalid JSON Pointer "/a/*": ');
check("goal /a/*; # <<", 'invalid JSON Pointer "/a/*": ');

for my $name ('state', 'updated', 'each', 'omit', 'require', 'goal.id',
	'present STARTED')
{
	check("$name /a/*/b/*/c;" . ($name eq 'state' && 'states FINISHED a;')
		. ($name =~ /present/ && 'present FINISHED /a;'));
	check("$name /a/*/b/*/*; # <<", 'invalid JSON Pointer "/a/*/b/*/*": ');
}

check("each '' /item; execution ''; goal /a~0~1b;");
check("each /a; each /b/* /c;");

# values

check("%bare id abc; # <<\nroute GET /z { }",
	'"abc" is the same for all executions, "id" must be a JSON Pointer or ' .
	'hold a variable');
check("$_ abc; # <<", "\"abc\" is the same for all executions, \"$_\" must " .
	'be a JSON Pointer or hold a variable') for qw/ updated run execution /;
check("%bare id \$.id; # <<\nroute GET /z { }",
	'invalid value "$.id", a JSON Pointer is written "/a/b"');
check("%bare %none route GET ~^/x/(?<run>.+)\$ { id /id \$run; }");
check("execution.url '/jobs/\${/id}'; goal.id /jobs/\${arg_id} /\$ref;");
check("%bare id '/\${/a/*}'; # <<\nroute GET /z { }",
	'invalid JSON Pointer "/a/*": must not have a "*" segment here');
check("goal.id \${a; # <<", 'the closing bracket in "a" variable is missing');
check("updated " . join(' ', map { "/$_" } 1 .. 16) . ";");
check("updated " . join(' ', map { "/$_" } 1 .. 17) . "; # <<",
	'"updated" directive has more than 16 values');

# states, present, require

check("state /s; states FINISHED done '~^fail'; states LAUNCHED a; states STARTED b;");
check("states UPDATED a; # <<", 'unknown event "UPDATED" in "states" ' .
	'directive, it must be LAUNCHED, STARTED or FINISHED');
check("states finished a; # <<", 'unknown event "finished" in "states"');
check("states FINISHED ~; # <<", 'empty regex in "~"');
check("state /s; states FINISHED ~ ^done; # <<",
	'empty regex in "~", no space stands behind it');
check("state /a ~ ^x; # <<", 'empty regex in "~", no space');
check("require /a ~ ^x; # <<", 'empty regex in "~", no space');
check("route GET ~ ^/x { # <<\n}", 'empty regex in "~", no space');
check("states FINISHED '~('; # <<", 'in "("');
check("present LAUNCHED /a; # <<", 'unknown event "LAUNCHED" in "present" ' .
	'directive, it must be STARTED or FINISHED');
check("present FINISHED /a=true /b=~^x /c=!0; present STARTED /d=;");
check("present FINISHED '/a=~('; # <<", 'in "("');

for my $what ('/a = true', '/a =true', '/a= true', '/a true', '/a /b = c',
	'1/a = true', '1/a true')
{
	check("present FINISHED $what; # <<",
		'is no JSON Pointer, and a value has no space before it, as ' .
		'"/done=true"');
}

check("present FINISHED true /a; # <<", 'invalid JSON Pointer "true": ');
check("present FINISHED =done =failed /a '' /b;");
check("require /a b !c '~^d' *;");
check("require /a '~('; # <<", 'in "("');
check("require 1/*; # <<\neach /a/*;", 'invalid JSON Pointer "/*": must not ' .
	'have a "*" segment here');
check("require 1#a; # <<\neach /a/*;", 'nothing may follow "#" in "1#a"');
check("require 10/a; # <<", 'invalid JSON Pointer "10/a": ');
check("present FINISHED /a 1/b=c 2/d; present STARTED 0#=~^x 1/e=!f;\n" .
	"each /a/*;");
check("present FINISHED 1/*/a=b; # <<\neach /a/*;", 'invalid JSON Pointer ' .
	'"/*/a": must not have a "*" segment here');

# routes

for my $method ('GET', 'POST,PUT', '*', 'GET,HEAD,DELETE,PATCH') {
	check("route $method /a { }");
}

check("route get /a { # <<\n}", 'unknown method "get" in "get"');
check("route GET, /a { # <<\n}", 'unknown method "" in "GET,"');
check("route GET,FOO /a { # <<\n}", 'unknown method "FOO" in "GET,FOO"');
check("route GET,GET /a { # <<\n}", 'duplicate method "GET" in "GET,GET"');
check("route *,GET /a { # <<\n}", 'unknown method "*" in "*,GET"');

check("route GET /a* { }");
check("%none route GET /* { }");
check("route GET a { # <<\n}",
	'invalid URI "a", it must begin with "/" or "~"');
check("route GET '' { # <<\n}", 'invalid URI ""');
check("route GET /a/*/b { # <<\n}",
	'invalid URI "/a/*/b", "*" may only stand at its end, use a regex');
check("route GET '/a?b=c' { # <<\n}",
	'invalid URI "/a?b=c", it is matched without the query');
check("route GET $_ { # <<\n}", qq{invalid URI "$_", what differs is matched } .
	'by a regex, as "~^/jobs/(?<job>[^/]+)$"')
	for '/a/:b', '/:a/b';
check("route GET '/a/{b}' { # <<\n}", 'invalid URI "/a/{b}", what differs ' .
	'is matched by a regex');
check("route GET /a:b { }");
check("route GET '~^/a/:b\\{c\\}\$' { }");
check("route GET /a%2fb/* { # <<\n}",
	'invalid URI "/a%2fb/*", it is matched decoded: write the character ' .
	'instead of "%2f"');
check("route GET /100%/* { }");
check("route GET ~^/(?<x>[^/]+)/\\d+\$ { }");
check("route GET '~*^/A{1,2};x y\$' { }");
check("route GET ~ { # <<\n}", 'empty regex in "~"');
check("route GET ~* { # <<\n}", 'empty regex in "~*"');
check("route GET ~^/(a { # <<\n}", 'in "^/(a"');
check("route GET ~^/([0-9]{3})\$ { # <<\n}",
	'a regex with "{", "}", ";" or a space must be quoted');
check("route GET ~^/(?<uri>a) { # <<\n}", 'the duplicate "uri" variable');

{
	my (undef, $said) = $t->test_config('webhook_api a { id /id; '
		. 'route GET ~^/(?<uri>a) { } }');
	unlike($said, qr/must be quoted/, 'what is not wrong is not blamed');
}

for my $status ('2xx', '200', '200,201', '200-204', '2xx,3xx', '303', '404',
	'2xx,404,408,409,410,422,423,425')
{
	check("route GET /a status=$status { }");
}

for my $status ('', '4xx', '1xx', '2', '2xy', '200,', '199', '400', '204-200',
	'200-400', '206', '304', 'abc', '200 ', '-200', '2000', '401', '403', '429',
	'499', '500', '503', '424', '404-410', '200-404', '422-422x')
{
	check("route GET /a 'status=$status' { # <<\n}", 'invalid status "');
}

check("%bare route GET ~^/x/(?<job>.+)\$ { id /id; } also { id \$job; launch; }\n" .
	"also { each /a/*; id 1#; run 2/b; }\nid /id;");
check("%none also { # <<\n}", 'has no "route" before it');
check("route GET /a { ignore; } also { # <<\n}",
	'reads nothing behind a "route" with "ignore"');
check("route GET /a { } also { ignore; # <<\n}",
	'"ignore" directive is not allowed in "also"');
check("route GET /a { } also x { # <<\n}",
	'invalid number of arguments in "also"');
check("route GET /a { also { # <<\n} }", '"also" directive is not allowed here');
check("route GET /a { } also { route GET /b { # <<\n} }",
	'"route" directive is not allowed here');
check("%bare %none route GET /a { id /id; } also { # <<\n}",
	'no "id" for "route" "GET /a also"');
check("route GET /a { } also { id 1/x; # <<\n}", '"id" can name nothing, as ' .
	'the document has no name and nothing above it, for "route" "GET /a also"');
check("%bare %none route GET ~^/(?<job>.+)\$ body=off { id \$job; }\n" .
	"also { # <<\nid /id; }", '"body=off" needs an "id" with a variable, no ' .
	'"require", and no "each" that is not "", in "route" ' .
	'"GET ~^/(?<job>.+)$ also"');
check("route GET /a status=200,404 { } also { # <<\nlaunch; }",
	'the "status" of an error cannot be that of a "launch"');

for my $kind ('launch', 'rerun') {
	check("route GET /a status=200,404 { # <<\n$kind; }",
		"the \"status\" of an error cannot be that of a \"launch\" or " .
		'"rerun", in "route" "GET /a"');
}

check("%bare route GET ~^/x/(?<job>.+)\$ body=off status=200,202 { id \$job; }\n" .
	"id /id;");
check("route GET /a body=off { # <<\n}", '"body=off" needs an "id" with a ' .
	'variable, no "require", and no "each" that is not "", in "route" "GET /a"');
check("require /a; route GET ~^/(?<job>.+)\$ body=off { # <<\nid \$job; }",
	'"body=off" needs an "id" with a variable, no "require"');
check("each /a/*; route GET ~^/(?<job>.+)\$ body=off { # <<\nid \$job; }",
	'"body=off" needs an "id" with a variable, no "require", and no "each" ' .
	'that is not ""');
check("each /a/*; route GET ~^/x/(?<job>.+)\$ body=off { id \$job; each ''; }");
check("route GET /a body=on { # <<\n}", 'invalid parameter "body=on"');
check("route GET /a body=text { id ''; state ''; states FINISHED a; }");
check("%bare route GET ~^/(?<job>.+)\$ body=off body=text { # <<\nid \$job; }",
	'duplicate "body" parameter');
check("route GET /a status=200 status=201 { # <<\n}",
	'duplicate "status" parameter');
check("route GET /a when=\$arg_a when=\$arg_b { # <<\n}",
	'duplicate "when" parameter');
check("route GET /a when= { # <<\n}", 'empty "when" parameter');
check("route GET /a when=1 { # <<\n}", 'no variable in "when=1"');
check("route GET /a 'when=\${x' { # <<\n}",
	'the closing bracket in "x" variable is missing');
check("route GET /a status=2xx when=\$arg_a\${http_b}0 { }");
check("route GET /a when=\$arg_action=go { # <<\n}", '"when=$arg_action=go" ' .
	'always holds, as it is never empty, use a "map" to compare');
check("route GET /a 'when=\${arg_a}00' { # <<\n}", 'always holds');
check("route GET /a foo=1 { # <<\n}",
	'invalid parameter "foo=1": "status=", "when=", "body=off" or "body=text" '
	. 'is expected');
check("route GET /a when=\"\$arg_a\" { # <<\n}",
	'the whole parameter must be quoted: "when=..."');

# parts of values, and values of parts

check("%none %bare id /ref ~[^/]+\$ '\${/a/b}:\${/c~1d}' \$arg_x ~*^x(.);" .
	"\nroute GET /z { }");
check("goal.id /a ~\\d+; updated /b ~x \${/a}-\${/b}; run /n ~\\d;");
check("execution '\${/a}/\$arg_b';");
check("updated " . join(' ', map { "/a$_ ~x" } 1 .. 16) . ";");
check("state ~x; # <<", 'a regex must stand behind the value that it takes ' .
	'a part of, "~x" does not');
check("state /a ~x ~y; # <<", 'a regex must stand behind the value that it ' .
	'takes a part of, "~y" does not');
check("state /*/a ~x; # <<",
	'a regex takes a part of one value, "/*/a" may be several');
check("state /a ~; # <<", 'empty regex in "~"');
check("state /a ~*; # <<", 'empty regex in "~*"');
check("state \$arg_id ~%.+; goal.name /a ~%*[a-z]+; goal.id /a '~[%]2F(.+)';" .
	'states FINISHED a;');
check("state /a ~%; # <<", 'empty regex in "~%"');
check("state /a ~%*; # <<", 'empty regex in "~%*"');
check("state /a '~x('; # <<", 'in "x("');
check("state '\${/a'; # <<",
	'the closing bracket of "${/" in "${/a" is missing');
check("state '\${1#'; # <<",
	'the closing bracket of "${1" in "${1#" is missing');
check('state 1#/a; # <<', 'nothing may follow "#" in "1#/a"');
check('state 1/a/*; # <<',
	'invalid JSON Pointer "/a/*": must not have a "*" segment here');
check("state '\${/a/*}'; # <<",
	'invalid JSON Pointer "/a/*": must not have a "*" segment here');
check("state 'x\${/a~}'; # <<", 'invalid JSON Pointer "/a~"');
check("goal /a ~x; # <<", 'text cannot be a whole "goal"');
check("goal '\${/a}'; # <<", 'text cannot be a whole "goal"');

# what a route needs

check("%none %bare route GET /z { # <<\n}", 'no "id" for "route" "GET /z"');
check("%none %bare route GET /z { ignore; }");
check("%none %bare route GET /z { }\nid /id;");

# above the document is nothing, and it has no name

for ([ 'id 1/a;' ], [ 'id 0#;' ], [ 'id 1# 2/a;' ], [ "id '\${/a}.\${0#}';" ],
	[ "id '\${1/a}';" ], [ 'each "";', 'id 0# 1/a;' ],
	[ 'each /job;', 'id 1#;' ], [ 'each /jobs/* /job;', 'id 3/a 2# 3#;' ])
{
	check("%none %bare @$_\nroute GET /z { # <<\n}", '"id" can name nothing, ' .
		'as the document has no name and nothing above it, for "route" ' .
		'"GET /z"');
}

check("%none %bare $_ route GET /z { }") for 'id 0/a;',
	'each "" /job; id 0#;',
	'each /jobs/*; id 0#; state 1#; states FINISHED a; goal 2/goal;';
check("%none %bare id 1/a 0#; route GET /z { ignore; } " .
	"route GET /y { each /jobs/*; }");
check("%none %bare id 0# /id; route GET /z { } route GET /y { each /jobs/*; }");
check("%none %bare id 1/a; route GET /z { # <<\n}\n" .
	"route GET /y { each /jobs/*; }", 'for "route" "GET /z"');

# include

$t->file('members.conf', "sender.city /city;\nroute GET /inc {\n" .
	"    include " . $t->dir() . "/kind.conf;\n}\n");
$t->file('kind.conf', "launch;\nexecution.some-name /x;\n");
$t->file('bad.conf', "\nbad 1;\n");

whole('include', "webhook_api a { id /id; include $t->{dir}/members.conf; }");
whole('include of a pattern',
	"webhook_api a { id /id; include $t->{dir}/mem*.conf; }");
whole('include of nothing',
	"webhook_api a { id /id; include $t->{dir}/none*.conf;\n} # <<",
	'"webhook_api" "a" has no "route"');
whole('include of no file',
	"webhook_api a { id /id; include $t->{dir}/none.conf; # <<\n}",
	'open() "' . $t->dir() . '/none.conf" failed');

{
	my ($ok, $said) = $t->test_config("webhook_api a { include " .
		"$t->{dir}/bad.conf; }");
	ok(!$ok, 'an error in an included file');
	like($said, qr!unknown directive "bad" in \Q$t->{dir}\E/bad.conf:2!,
		'named');

	($ok, $said) = $t->test_config("webhook_api a { route GET /x " .
		"{ id \$nosuch; } }");
	ok(!$ok, 'an unknown variable');
	like($said, qr/\[emerg\].*unknown "nosuch" variable/, 'named');
}

# what has no effect

for (
	[ "route GET /x/* { }\nroute GET /x/a { } # <<",
		'route "GET /x/a" is never used, "GET /x/*" in' ],
	[ "route * /* { }\nroute PUT /x/* { launch; } # <<",
		'route "PUT /x/*" is never used' ],
	[ "route GET /x status=200 { }\nroute GET /x status=202 { } # <<",
		'takes all its requests, whatever the status: a "map" of $status ' .
		'in "when=" tells them apart' ],
	[ "route GET,PUT ~^/x/[^/]+\$ { }\nroute GET ~^/x/[^/]+\$ { launch; } # <<",
		'route "GET ~^/x/[^/]+$" is never used' ],
	[ "route GET ~*^/x\$ { }\nroute GET ~^/x\$ { } # <<",
		'route "GET ~^/x$" is never used' ],
	[ "route * /* { }\nroute GET ~^/x\$ { } # <<",
		'route "GET ~^/x$" is never used' ],
	[ "route GET ~^/x/[^/]+\$ { }\nroute GET /x/search { } # <<",
		'route "GET /x/search" is never used, "GET ~^/x/[^/]+$" in' ],
	[ "route GET ~/search\$ { }\nroute GET /x/search { } # <<",
		'route "GET /x/search" is never used' ],
	[ "route GET ~*^/X/(?<one>.+)\$ { }\nroute GET /x/search { } # <<",
		'route "GET /x/search" is never used' ],
	[ "route GET ~^/x\$ { }\nroute GET ~*^/x\$ { }" ],
	[ "route GET ~^/x/[^/]+\$ { }\nroute GET /x/a/b { }" ],
	[ "route GET ~^/X/[^/]+\$ { }\nroute GET /x/search { }" ],
	[ "route GET ~^/x/[^/]+\$ { }\nroute GET /x/search* { }" ],
	[ "route GET ~^/x/[^/]+\$ when=\$arg_a { }\nroute GET /x/search { }" ],
	[ "route GET ~^/x\$ when=\$arg_a { }\nroute GET ~^/x\$ { }" ],
	[ "route GET ~^/x { }\nroute GET ~^/x/ { }" ],
	[ "route GET ~^/x { }\nroute POST ~^/x { }" ],
	[ "route GET /x/* { }\nroute POST /x/a { }" ],
	[ "route GET /x/a { }\nroute GET /x/* { }" ],
	[ "route GET /x/a { }\nroute GET /x/ab { }" ],
	[ "route GET /x/* { }\nroute GET ~^/x/a { } # <<",
		'route "GET ~^/x/a" is never used, "GET /x/*" in' ],
	[ "route * /x.y/* { }\nroute POST ~^/x\\.y/(?:a|b)/[|(]+\$ { } # <<",
		'is never used, "* /x.y/*" in' ],
	[ "route GET /x* { }\nroute GET ~^/x+\$ { } # <<", 'is never used' ],
	(map { [ "route GET /x.y/* { }\nroute GET $_ { }" ] } '~^/x\.y/?a',
		'~^/x\.y/*$', '"~^/x\.y/{0,1}"', '~^/x.y/a', '~^/x\dy/', '~/x\.y/a',
		'~*^/x\.y/a', '~^/x\.y/a|^/z', '~^/x\.y/[(]a|^/z', '~^/x\.y',
		'~^/x\.y/[^]|]|^/(z)', '~^(?:/x\.y/a|/z)', '~^/x\.yy/'),
	[ "route GET /x/* when=\$arg_a { }\nroute GET /x/a { }" ],
	[ "# <<\nstates FINISHED done;\nroute GET /x { }",
		'"states" has no effect without "state" in webhook_api "a"' ],
	[ "states FINISHED 404 200;\nroute GET /x { state \$status; } # <<",
		'"404" in "states" is a status that route "GET /x" does not ' .
		'take, "status=" names those it does' ],
	[ "states FINISHED 404 200;\nroute GET /x { state \$status; }\n" .
		"route GET /y status=404 { state \$status; }\n" .
		'route GET /z { state /code; states FINISHED 410; }' ],
	[ "route GET ~^/x\\?id=\\d+\$ { # <<\n}", 'URI "~^/x\\?id=\d+$" is ' .
		'matched without the query, use "when=" with $args or $arg_...' ],
	[ "route GET ~*^/x/a%2fb { # <<\n}", 'URI "~*^/x/a%2fb" is matched ' .
		'decoded: write the character instead of "%2f"' ],
	[ "route GET ~^/x/?[^%a]+%?\$ { }\nroute GET ~^/y\\\\\\\\?%%1F { }" ],
	[ "route HEAD /x { # <<\n}", 'answers to "HEAD" are never read' ],
	[ "# <<\nstates STARTED a;\npresent STARTED /b;\nroute GET /x { state /s; }",
		'no "states" and no "present" means FINISHED in webhook_api "a"' ],
	[ "# <<\npresent STARTED /b;\nroute GET /x { }",
		'no "states" and no "present" means FINISHED in webhook_api "a"' ],
	[ "states STARTED a;\nroute GET /x { state /s; }\n"
		. 'route GET /y { present FINISHED /b; }' ],
	[ "states STARTED a;\nroute GET /x { state /s; }\n"
		. 'route GET /y { states FINISHED c; }' ],
	[ "state over;\nstates FINISHED done;\nroute GET /x { } # <<",
		'"state" is "over" for all executions, which no "states" names, ' .
		'in route "GET /x"' ],
	[ "route GET /x { state over; } # <<", '"state" is "over"' ],
	[ "state Over /s;\nstates FINISHED over;\nroute GET /x { }\n"
		. "route GET /y { state done; states FINISHED ~^d; }\n"
		. "route GET /z { state not; ignore; }" ],
	[ "require /type=run; # <<\nroute GET /x { }", 'all of "/type=run" is a ' .
		'JSON Pointer, a value in "require" stands behind a space' ],
	[ "require /type=a run;\nrequire /a/[b=c]/d;\nroute GET /x { }" ],
	[ "route GET ~^/(.+)\$ { goal.id \$1; # <<\n}", '"$1" has no capture of ' .
		'a route\'s regex, these have names, as "(?<job>...)"' ],
	[ "goal.id 'a-\$2-\${/x}'; # <<\nroute GET /x { }",
		'has no capture of a route\'s regex' ],
	[ "goal.id \$arg_1; route GET /x { }" ],
	[ "route GET ~^/x/(?<x_id>.+)\$ { id \$x_id; }\n"
		. "route GET /x { each /*; id \${X_id}; } # <<", '"${X_id}" is ' .
		'captured by the regex of another route alone, so there is no "id", ' .
		'in route "GET /x"' ],
	[ "route GET ~^/x/(?<x_id>.+)\$ { id \$x_id; }\n"
		. "route GET ~^/y/(?<y_id>.+)\$ { id \$x_id; } # <<",
		'"$x_id" is captured by the regex of another route' ],
	[ "route GET ~^/x/(?<x_id>.+)\$ { id \$x_id; }\nalso { id \$x_id; }\n"
		. "route GET /x { id \$x_id /id; }\n"
		. "route GET /y { id \$x_id \$arg_id; }\n"
		. "route GET /z { id \$x_id-\$arg_id; }\n"
		. 'route GET /w { id $x_id; ignore; }' ],
	[ "route DELETE /x status=204 { } # <<", '204 has no body, of which ' .
		'nothing is read without an "id" with a variable, with a "require", ' .
		'or with an "each" that is not "", in route "DELETE /x"' ],
	[ "require /a;\n"
		. "route GET ~^/(?<x_id>.+)\$ status=204 { id \$x_id; } # <<",
		'204 has no body' ],
	[ "each /a;\n"
		. "route GET ~^/(?<x_id>.+)\$ status=204 { id \$x_id; } # <<",
		'204 has no body' ],
	[ "each /a;\nroute GET ~^/(?<x_id>.+)\$ status=204 { id \$x_id; each ''; }\n"
		. "route DELETE /y status=204 { ignore; }\n"
		. "route DELETE /z status=202,204 { }\n"
		. 'route DELETE /w status=204,404 { }' ],
	[ "goal.id 1/a;\nroute GET /x { } # <<\nroute GET /y { }",
		'"1/a" can name nothing, as the document has no name and nothing ' .
		'above it, in route "GET /x"' ],
	[ "updated /a '\${/b}-\${0#}';\nroute GET /z { ignore; }\n" .
		"route GET /x { } # <<", '"${/b}-${0#}" can name nothing' ],
	[ "route GET /x { each /jobs/*; state /s 2#; } # <<",
		'"2#" can name nothing' ],
	[ "run 3/a;\neach /jobs/*;\nroute GET /x { } # <<", '"3/a" can name' ],
	[ "route GET /x { id 1/a \$arg_a; } # <<", '"1/a" can name nothing' ],
	[ "goal.id 1/a;\nroute GET /x { }\nroute GET /y { each /*; }" ],
	[ "require 1/a;\nroute GET /y { each /*; }\nroute GET /x { } # <<",
		'"1/a" can name nothing, as the document has no name' ],
	[ "route GET /x { each /a/*; require 2#; } # <<", '"2#" can name nothing' ],
	[ "present FINISHED /b 1/a=c;\nroute GET /x { } # <<\nroute GET /y { }",
		'"1/a" can name nothing' ],
	[ "present FINISHED 1/a;\nroute GET /x { }\nroute GET /y { each /*; }" ],
	[ "require 2/ok true;\neach /a/*;\nroute GET /x { require 1# a; }\n"
		. "route GET /y { each /b/c; require 0/d; require 0# c; }" ],
	[ "goal.id 1/a;\nroute GET /x { }\nroute GET /y { goal.name /x; " .
		"each /*; }" ],
	[ "state /s;\nstates STARTED Stopped;\nstates FINISHED done stopped; # <<\n"
		. "route GET /x { }", '"stopped" in "states" has no effect, it means ' .
		'STARTED by what stands before it' ],
	[ "state /s;\nstates FINISHED ~^d;\nstates LAUNCHED deferred; # <<\n"
		. "route GET /x { }", '"deferred" in "states" has no effect, it means ' .
		'FINISHED by' ],
	[ "state /s;\nstates STARTED failing;\nstates FINISHED ~^fail Failing2;\n"
		. "states FINISHED failed;\nroute GET /x { }\n"
		. "route GET /y { states FINISHED failing; }" ],
	[ "state /s;\nstates FINISHED done, failed; # <<\nroute GET /x { }",
		'"done," is compared with its comma, spaces alone separate values' ],
	[ "require /a b, c; # <<\nroute GET /x { }", '"b," is compared with its' ],
	[ "present FINISHED /a=b,; # <<\nroute GET /x { }", '"b," is compared' ],
	[ "state /s;\nstates FINISHED done|failed; # <<\nroute GET /x { }",
		'"done|failed" is compared with its "|", spaces separate values, and ' .
		'"~regex" has alternatives' ],
	[ "require /a !b|c; # <<\nroute GET /x { }", '"b|c" is compared with its' ],
	[ "state /s;\nstates LAUNCHED !running; # <<\nroute GET /x { }",
		'"!running" in "states" is text as it stands, only "~regex" is more' ],
	[ "state /s;\nstates STARTED *; # <<\nroute GET /x { }",
		'"*" in "states" is text as it stands' ],
	[ "state /s;\nstates FINISHED /done; # <<\nroute GET /x { }",
		'"/done" in "states" is text as it stands' ],
	[ "state /s;\nstates FINISHED fail*; # <<\nroute GET /x { }",
		'"fail*" in "states" is text as it stands' ],
	[ "state /s;\nstates FINISHED *_FAILED; # <<\nroute GET /x { }",
		'"*_FAILED" in "states" is text as it stands' ],
	[ "goal.id /a,/b; # <<\nroute GET /x { }", 'all of "/a,/b" is one JSON ' .
		'Pointer, spaces alone separate several' ],
	[ "route GET /x { omit /a, /b; # <<\n}", 'all of "/a," is one JSON' ],
	[ "updated /a|/b; # <<\nroute GET /x { }", 'all of "/a|/b" is one JSON' ],
	[ "goal.id /data[0]/id; # <<\nroute GET /x { }", '"[0]" in "/data[0]/id" ' .
		'is part of a name, an element is written "/0", all are "/*"' ],
	[ "route GET /x { each /jobs[]; # <<\n}", '"[]" in "/jobs[]" is part of' ],
	[ "omit /**/secret; # <<\nroute GET /x { }", '"**" in "/**/secret" is a ' .
		'name, all elements are "/*", of one level each' ],
	[ "route GET /x { each /a/**; # <<\n}", '"**" in "/a/**" is a name' ],
	[ "goal.id /**a /a** /***; route GET /x { }" ],
	[ "each /jobs[*]/a; # <<\nroute GET /x { }", '"[*]" in "/jobs[*]/a" is' ],
	[ "goal.id /a[b] /a[0]b /a,b /[a=0]/c[x]; route GET /x { }" ],
	[ "present FINISHED /done>=100; # <<\nroute GET /x { }", '"/done>=100" is ' .
		'compared by its "=" alone: a value is text, "~regex" or "*", with ' .
		'"!" before it the contrary' ],
	[ "present FINISHED /a!=b; # <<\nroute GET /x { }", '"/a!=b" is compared' ],
	[ "present FINISHED /a==b; # <<\nroute GET /x { }", '"/a==b" is compared' ],
	[ "goal.id /a /b/; # <<\nroute GET /x { }", '"/b/" ends with a name that ' .
		'is empty, the whole document is ""' ],
	[ "state /; # <<\nstates FINISHED a;\nroute GET /x { }", '"/" ends with ' .
		'a name that is empty' ],
	[ "goal.id '/a /b'; # <<\nroute GET /x { }", 'all of "/a /b" is one JSON ' .
		'Pointer, as the quotes make it' ],
	[ "goal.id '/a b' /d//e '/c d/e'; route GET /x { }" ],
	[ "present FINISHED '/done = true'; # <<\nroute GET /x { }", 'the space ' .
		'beside "=" in "/done = true" is part of the name or the value, as ' .
		'it is not in "/done=true"' ],
	[ "present FINISHED '/a =~^b'; # <<\nroute GET /x { }", 'the space beside ' .
		'"=" in "/a =~^b"' ],
	[ "present FINISHED '/a= b'; # <<\nroute GET /x { }", 'the space beside' ],
	[ "present FINISHED '/a b=c d' '/[e = f]/g' '/e='; route GET /x { }" ],
	[ "present FINISHED /a=null; # <<\nroute GET /x { }", '"null" is text here, ' .
		'what is null or not there is "!*"' ],
	[ "require /a !null; # <<\nroute GET /x { }", '"null" is text here' ],
	[ "require /a != b; # <<\nroute GET /x { }", '"!=" is what is not "=", ' .
		'"!" stands right before a value' ],
	[ "require /a !=b ! = ==; route GET /x { }" ],
	[ "present FINISHED /a=!b /c!/d=e /[f=g]/h; route GET /x { }" ],
	[ "state /s; states FINISHED a,b ~x, ~a* ~a|b 'a | b' a|;\n"
		. "require /a * !* ~b, !~b|c | || |a;\n"
		. "route GET /x { }" ],
	[ "states FINISHED done;\nroute POST /x { launch; }\n"
		. "route GET /x { state /s; }" ],
) {
	my ($text, $expected) = @$_;

	my ($ok, $said) = $t->test_config("webhook_api a { id /id; $text\n}");

	my @lines = split /\n/, read_file($file);
	my ($line) = grep { $lines[$_ - 1] =~ /# <</ } 1 .. @lines;

	ok($ok, "$text - accepted");

	if ($expected) {
		like($said, qr/\[warn\].*\Q$expected\E.* in \Q$file:$line\E/,
			"$text - said");

	} else {
		unlike($said, qr/\[warn\]/, "$text - nothing said");
	}
}

for my $text ('route GET /x/* status=202 { } route GET /x/a status=202 { }',
	'route GET /x/* { ignore; } route GET /x/a status=202 { }')
{
	my ($ok, $said) = $t->test_config("webhook_api a { id /id; $text }");

	like($said, qr/takes all its requests, in/, "$text - not by the status");
}

# what comes with the module

for my $name (glob repo() . '/conf/webhook/*.conf') {
	next unless read_file($name) =~ /^webhook_api /m;

	whole("shipped: $name", "include $name;");

	# where a line of the CPU's cache has 32 bytes, a bucket of map's hash
	# has room for so much

	my ($maps) = join '', read_file($name) =~ /^map [^{]*\{(.*?)^\}/msg;

	is(join(' ', grep { !/^~/ && length > 14 } $maps =~ /^\s*(\S+)/mg), '',
		"shipped: $name, short keys of maps");
}

$t->done();

###############################################################################
