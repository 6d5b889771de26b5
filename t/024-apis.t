#!/usr/bin/perl

# Execution APIs that no shipped description speaks of, each described as its
# user would, and answers as they are documented: what a receiver gets.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Sys::Hostname;
use Test::More;

use WebhookTest;

###############################################################################

my (%describes, %maps);

# Argo Workflows: a workflow is retried under its old uid

$describes{argo} = <<'EOF';
    id             /metadata/uid;
    execution      "";
    execution.url  "/workflows/${/metadata/namespace}/${/metadata/name}";
    goal.name      /spec/workflowTemplateRef/name;
    project.name   /metadata/namespace;
    omit           /spec /metadata/managedFields /status/nodes
                   /status/storedWorkflowTemplateSpec;

    state          /status/phase;
    states         LAUNCHED Pending;
    states         FINISHED Succeeded Failed Error;
    updated        /status/progress;

    route POST ~^/api/v1/workflows/[^/]+(?:/submit)?$ { launch; }
    route PUT ~^/api/v1/workflows/[^/]+/[^/]+/resubmit$ { launch; }
    route PUT ~^/api/v1/workflows/[^/]+/[^/]+/retry$ { rerun; }
    route PUT ~^/api/v1/workflows/[^/]+/[^/]+/(?:stop|terminate|suspend)$ { }
    route GET ~^/api/v1/workflows/[^/]+/[^/]+$ { }
    route GET ~^/api/v1/workflows/[^/]*$ { each /items/*; }
EOF

# AWX, Ansible Tower: slashes at the end; a list of jobs of all kinds

$describes{awx} = <<'EOF';
    id             /id;
    execution      "";
    goal.id        /job_template /unified_job_template;
    goal.name      /summary_fields/job_template/name;
    sender.id      /launched_by/id;
    sender.name    /launched_by/name;
    omit           /extra_vars /job_env /job_args /summary_fields /related
                   /artifacts;
    require        /type job workflow_job;

    state          /status;
    states         LAUNCHED new pending waiting;
    states         FINISHED successful failed error canceled;

    route POST ~^/api/v2/(?:workflow_)?job_templates/\d+/launch/$ { launch; }
    route POST ~^/api/v2/(?:workflow_)?jobs/\d+/relaunch/$ { launch; }
    route GET ~^/api/v2/(?:workflow_)?jobs/\d+/$ { }
    route GET ~^/api/v2/(?:workflow_|unified_)?jobs/$ { each /results/*; }
EOF

# Rundeck: errors with a status of their own, and an id that is text here and a
# number there

$describes{rundeck} = <<'EOF';
    id             /id;
    execution      "";
    execution.url  /permalink;
    goal.id        /job/id;
    goal.name      /job/name;
    project.name   /project;
    sender.name    /user;
    omit           /argstring /job/options;

    state          /status;
    states         LAUNCHED scheduled queued;
    states         FINISHED succeeded failed aborted timedout
                            failed-with-retry missed other;

    route POST ~^/api/\d+/job/[^/]+/(?:run|executions)$ { launch; }
    route GET ~^/api/\d+/execution/\d+$ { }
    route GET,POST ~^/api/\d+/execution/\d+/abort$ { each /execution; }
    route GET ~^/api/\d+/(?:job/[^/]+|project/[^/]+)/executions(?:/running)?$ {
        each  /executions/*;
    }
    route GET ~^/api/\d+/execution/\d+/state$ {
        id       /executionId;
        state    /executionState;
        present  FINISHED /completed=true;
    }
EOF

# Databricks Jobs 2.1: two words for where it stands, and the id in the query

$describes{databricks} = <<'EOF';
    id             /run_id;
    execution      "";
    execution.url  /run_page_url;
    goal.id        /job_id;
    goal.name      /run_name;
    sender.name    /creator_user_name;
    omit           /overriding_parameters /job_parameters /tasks /cluster_spec;

    state          /state/life_cycle_state;
    states         LAUNCHED QUEUED PENDING BLOCKED WAITING_FOR_RETRY;
    states         FINISHED TERMINATED SKIPPED INTERNAL_ERROR;

    route POST ~^/api/2\.[12]/jobs/(?:run-now|runs/submit)$ { launch; }
    route GET ~^/api/2\.[12]/jobs/runs/get$ { }
    route GET ~^/api/2\.[12]/jobs/runs/list$ { each /runs/*; }
    route POST ~^/api/2\.[12]/jobs/runs/repair$ {
        rerun;
        id         $request_body "~\"run_id\"\s*:\s*(\d+)";
        execution  $request_body "~\"run_id\"\s*:\s*(\d+)";
    }
EOF

# Prefect: a count of attempts that is 0 until the first one

$describes{prefect} = <<'EOF';
    id             /id;
    execution      "";
    goal.id        /deployment_id /flow_id;
    omit           /parameters /context /empirical_policy /state/data;

    state          /state/type /state_type;
    states         LAUNCHED SCHEDULED PENDING;
    states         FINISHED COMPLETED FAILED CANCELLED CRASHED;
    run            /run_count;

    route POST ~^/api/deployments/[^/]+/create_flow_run$ { launch; }
    route POST /api/flow_runs/ { launch; }
    route POST /api/flow_runs/filter { each /*; }
    route GET ~^/api/flow_runs/[^/]+$ { }
    route POST ~^/api/flow_runs/(?<prefect_run>[^/]+)/set_state$ {
        require    /status ACCEPT;
        id         $prefect_run;
        execution  /state;
    }
EOF

# CircleCI v2: a pipeline is what its workflows are

$describes{circleci} = <<'EOF';
    id             /id;
    execution      "";

    route POST ~^/api/v2/project/[^/]+/[^/]+/[^/]+/pipeline$ {
        launch;
        project.name  /project_slug;
    }
    route GET ~^/api/v2/pipeline/(?<circleci_pipeline>[^/]+)/workflow$ {
        id            $circleci_pipeline;
        project.name  /items/0/project_slug;
        state         /items/*/status;
        states        LAUNCHED on_hold;
        states        FINISHED success not_run failed error canceled
                               unauthorized;
        run           /items/0/created_at;
        require       /next_page_token !*;
    }
EOF

# Buildkite: a build is known by its pipeline and number; a job that is tried
# again takes the build with it, which may be shown as it was for a while

$describes{buildkite} = <<'EOF';
    id             "${/pipeline/slug}/${/number}";
    execution      "";
    execution.url  /web_url;
    goal.name      /pipeline/name;
    snapshot.id    /commit;
    sender.name    /creator/name;
    sender.email   /creator/email;
    omit           /jobs /env /pipeline /creator /meta_data;

    state          /state;
    states         LAUNCHED creating scheduled;
    states         FINISHED passed failed canceled skipped not_run;
    run            /finished_at;

    route POST ~^/v2/organizations/[^/]+/pipelines/[^/]+/builds$ { launch; }
    route PUT ~^/v2/organizations/[^/]+/pipelines/[^/]+/builds/\d+/rebuild$ {
        launch;
    }
    route GET ~^/v2/organizations/[^/]+/pipelines/[^/]+/builds/\d+$ { }
    route PUT ~^/v2/organizations/[^/]+/pipelines/[^/]+/builds/\d+/cancel$ { }
    route GET "~^/v2/(?:organizations/[^/]+/(?:pipelines/[^/]+/)?)?builds$" {
        each  /*;
    }
    route PUT ~^/v2/organizations/[^/]+/pipelines/(?<bk_slug>[^/]+)/builds/(?<bk_number>\d+)/jobs/[^/]+/retry$ {
        rerun;
        id         $bk_slug/$bk_number;
        execution  $bk_slug/$bk_number;
    }
EOF

# TeamCity: "status" is none, locators stand in the path

$describes{teamcity} = <<'EOF';
    id             /id;
    execution      "";
    execution.url  /webUrl;
    goal.id        /buildTypeId;
    goal.name      /buildType/name;
    sender.name    /triggered/user/username;
    omit           /properties /triggered;

    state          /state;
    states         LAUNCHED queued;
    states         FINISHED finished deleted;
    updated        /percentageComplete;

    route POST ~^(?:/httpAuth)?/app/rest/buildQueue/?$ { launch; }
    route GET ~^(?:/httpAuth)?/app/rest/(?:builds|buildQueue)/[^/]+$ { }
    route POST ~^(?:/httpAuth)?/app/rest/(?:builds|buildQueue)/[^/]+$ { }
    route GET ~^(?:/httpAuth)?/app/rest/(?:builds|buildQueue)/?$ {
        each  /build/*;
    }
EOF

# Azure DevOps: one id, as a run of a pipeline and as a build

$describes{'azure-devops'} = <<'EOF';
    id             /id;
    execution      "";
    execution.url  /_links/web/href;
    goal.id        /pipeline/id /definition/id;
    goal.name      /pipeline/name /definition/name;
    snapshot.id    /sourceVersion;
    sender.name    /requestedFor/displayName;
    omit           /templateParameters /variables /parameters /_links;

    state          /status /state;
    states         LAUNCHED notStarted postponed none unknown;
    states         FINISHED completed;

    route POST ~^/[^/]+/[^/]+/_apis/pipelines/\d+/runs$ { launch; }
    route POST ~^/[^/]+/[^/]+/_apis/build/builds$ { launch; }
    route GET ~^/[^/]+/[^/]+/_apis/pipelines/\d+/runs/\d+$ { }
    route GET ~^/[^/]+/[^/]+/_apis/pipelines/\d+/runs$ { each /value/*; }
    route GET,PATCH ~^/[^/]+/[^/]+/_apis/build/builds/\d+$ { }
    route GET ~^/[^/]+/[^/]+/_apis/build/builds$ { each /value/*; }
EOF

# Nomad: dispatched jobs, whose ids hold a slash

$describes{nomad} = <<'EOF';
    id             /ID;
    execution      "";
    goal.name      /ParentID;
    project.name   /Namespace;
    omit           /TaskGroups /Meta /Payload;

    state          /Status;
    states         LAUNCHED pending;
    states         FINISHED dead;

    route POST,PUT ~^/v1/job/.+/dispatch$ {
        launch;
        id         /DispatchedJobID;
        execution  /DispatchedJobID;
    }
    route GET ~^/v1/job/(?:(?!/allocations$|/evaluations$).)+$ { }
    route GET /v1/jobs { each /*; require /ParentID !; }
    route DELETE ~^/v1/job/(?<nomad_job>.+)$ {
        require    /EvalID;
        id         $nomad_job;
        execution  $nomad_job;
        state      over;
        states     FINISHED over;
    }
EOF

# Apache Livy: ids from 0

$describes{livy} = <<'EOF';
    id             /id;
    execution      "";
    goal.name      /name;
    sender.name    /owner;
    omit           /log;

    state          /state;
    states         LAUNCHED not_started starting recovering;
    states         FINISHED error dead killed success;
    updated        /appInfo;

    route POST /batches { launch; }
    route GET ~^/batches/\d+(?:/state)?$ { }
    route GET /batches { each /sessions/*; }
    route DELETE ~^/batches/(?<livy_batch>\d+)$ {
        require    /msg deleted;
        id         $livy_batch;
        execution  $livy_batch;
        state      over;
        states     FINISHED over;
    }
EOF

# Camunda 7: an instance that has ended is not found; 8: keys as text

$describes{camunda} = <<'EOF';
    execution      "";
    goal.id        /processDefinitionId /definitionId;

    route POST ~^/engine-rest/process-definition/.+/start$ {
        launch;
        id  /id;
    }
    route GET ~^/engine-rest/process-instance/(?<camunda>[^/]+)$ status=200,404 {
        id         $camunda;
        execution  $camunda;
        state      $status;
        states     STARTED 200;
        states     FINISHED 404;
    }
    route GET ~^/engine-rest/history/process-instance/[^/]+$ {
        id       /id;
        state    /state;
        states   FINISHED COMPLETED ~TERMINATED$;
        present  FINISHED /endTime;
    }
    route POST /v2/process-instances {
        launch;
        id  /processInstanceKey;
    }
    route POST /v2/process-instances/search {
        each    /items/*;
        id      /processInstanceKey;
        state   /state;
        states  FINISHED COMPLETED TERMINATED;
    }
EOF

# GA4GH TES and WES: actions behind a colon

$describes{ga4gh} = <<'EOF';
    id             /id /run_id;
    execution      "";
    goal.name      /name;
    omit           /executors /inputs /outputs /logs /request /run_log;

    state          /state;
    states         LAUNCHED QUEUED UNKNOWN;
    states         FINISHED COMPLETE EXECUTOR_ERROR SYSTEM_ERROR CANCELED
                            PREEMPTED;

    route POST ~^/ga4gh/tes/v1/tasks$ { launch; }
    route GET ~^/ga4gh/tes/v1/tasks/[^/:]+$ { }
    route GET ~^/ga4gh/tes/v1/tasks$ { each /tasks/*; }
    route POST ~^/ga4gh/wes/v1/runs$ { launch; }
    route GET ~^/ga4gh/wes/v1/runs/[^/]+(?:/status)?$ { }
    route GET ~^/ga4gh/wes/v1/runs$ { each /runs/*; }
EOF

# OGC API Processes: a launch that may answer at once

$describes{ogc} = <<'EOF';
    id             /jobID /id;
    execution      "";
    goal.id        /processID;

    state          /status;
    states         LAUNCHED accepted;
    states         FINISHED successful failed dismissed;
    updated        /progress /message;

    route POST ~/processes/[^/]+/execution$ status=201 {
        launch;
        id         /jobID $upstream_http_location ~/jobs/([^/?]+);
        execution  "";
    }
    route GET,DELETE ~/jobs/[^/]+$ { }
    route GET ~/jobs$ { each /jobs/*; }
EOF

# Slurm's slurmrestd: a list of states

$describes{slurm} = <<'EOF';
    id             /job_id;
    execution      "";
    goal.name      /name;
    project.name   /account;
    sender.name    /user_name;
    omit           /environment /script /command;

    state          /job_state/* /job_state /state/current/*;
    states         LAUNCHED PENDING CONFIGURING REQUEUED;
    states         FINISHED COMPLETED CANCELLED FAILED TIMEOUT NODE_FAIL
                            PREEMPTED BOOT_FAIL DEADLINE OUT_OF_MEMORY;

    route POST ~^/slurm/v[\d.]+/job/submit$ { launch; require /job_id !0; }
    route GET ~^/slurm(?:db)?/v[\d.]+/jobs?(?:/\d+)?/?$ { each /jobs/*; }
EOF

# Selenium Grid: a session ends by a request; BrowserStack: wrapped elements

$describes{selenium} = <<'EOF';
    id             /sessionId /hashed_id;
    execution      "";

    route POST ~^(?:/wd/hub)?/session$ {
        launch;
        each      /value "";
        state     up;
        states    STARTED up;
        omit      /capabilities;
    }
    route DELETE ~^(?:/wd/hub)?/session/(?<selenium_session>[^/]+)$ {
        id         $selenium_session;
        execution  $selenium_session;
        state      over;
        states     FINISHED over;
    }
    route GET /automate/builds.json {
        each      /*/automation_build;
        state     /status;
        states    FINISHED done failed timeout;
        goal.name /name;
    }
EOF

# Dagster: GraphQL, everything a POST that answers 200

$maps{dagster} = <<'EOF';
map $request_body $dagster_launches {
    default                            0;
    "~\b(?:launchRun|launchRunReexecution|launchPipelineExecution)\b"  1;
}
EOF

$describes{dagster} = <<'EOF';
    id             /runId /id;
    execution      "";
    goal.name      /jobName /pipelineName;

    state          /status;
    states         LAUNCHED QUEUED NOT_STARTED STARTING MANAGED;
    states         FINISHED SUCCESS FAILURE CANCELED;

    route POST /graphql when=$dagster_launches {
        launch;
        each  /data/launchRun/run /data/launchRunReexecution/run
              /data/launchPipelineExecution/run;
    }
    route POST /graphql {
        each  /data/runOrError /data/pipelineRunOrError
              /data/runsOrError/results/*;
    }
EOF

# OpenAI: batches, and responses in the background; dates or null

$describes{openai} = <<'EOF';
    id             /id;
    execution      "";
    goal.name      /endpoint /model;
    omit           /metadata /output /instructions /input;

    state          /status;
    states         LAUNCHED validating queued;
    states         FINISHED completed failed expired cancelled incomplete;
    updated        /request_counts;

    route POST /v1/batches { launch; }
    route POST /v1/responses { launch; require /background true; }
    route GET ~^/v1/(?:batches|responses)/[^/]+$ { }
    route POST ~^/v1/(?:batches|responses)/[^/]+/cancel$ { }
    route GET /v1/batches { each /data/*; }
EOF

# Replicate

$describes{replicate} = <<'EOF';
    id             /id;
    execution      "";
    execution.url  /urls/web;
    goal.name      /model;
    snapshot.id    /version;
    omit           /input /output /logs /urls;

    state          /status;
    states         LAUNCHED starting;
    states         FINISHED succeeded failed canceled aborted;
    updated        /logs;

    route POST ~^/v1/(?:models/[^/]+/[^/]+/|deployments/[^/]+/[^/]+/)?predictions$ {
        launch;
    }
    route GET ~^/v1/predictions/[^/]+$ { }
    route POST ~^/v1/predictions/[^/]+/cancel$ { }
    route GET /v1/predictions { each /results/*; }
EOF

# Google's long-running operations: "done" is there once it is true

$describes{google} = <<'EOF';
    id             /name;
    execution      "";
    goal.name      /metadata/target;
    omit           /response;

    present        STARTED  /metadata/@type;
    present        FINISHED /done=true;
    updated        /metadata/progressPercent;

    route POST ~^/v1/projects/.+:run$ { launch; }
    route GET ~^/v1/projects/.+/operations/[^/]+$ { }
    route GET ~^/v1/projects/.+/operations$ { each /operations/*; }
    route POST ~^/v1/(?<google_operation>projects/.+/operations/[^/]+):cancel$ {
        ignore;
    }
EOF

# Azure's asynchronous operations: 202 and Location until it is 200, or a
# status monitor

$describes{azure} = <<'EOF';
    id             $upstream_http_azure_asyncoperation ~/operations/([^/?]+)
                   $upstream_http_location ~/operationResults/([^/?]+);
    execution      "";
    execution.id   $upstream_http_azure_asyncoperation ~/operations/([^/?]+)
                   $upstream_http_location ~/operationResults/([^/?]+);

    route POST,PUT,DELETE ~^/subscriptions/.+$ status=201,202 { launch; }
    route GET ~^/subscriptions/.+/operationResults/(?<azure_result>[^/]+)$ status=200,202,204 {
        id            $azure_result;
        execution.id  $azure_result;
        state         $status;
        states        STARTED 202;
        states        FINISHED 200 204;
    }
    route GET ~^/subscriptions/.+/operations/(?<azure_operation>[^/]+)$ {
        id            $azure_operation;
        execution.id  $azure_operation;
        state         /status;
        states        FINISHED Succeeded Failed Canceled;
    }
EOF

# a result that is somewhere else, as 303 says

$describes{'see-other'} = <<'EOF';
    id             $see_other;
    execution      "";
    execution.id   $see_other;
    execution.url  $upstream_http_location;

    route POST /jobs status=202 {
        launch;
        id            $upstream_http_location ~/queue/([^/?]+);
        execution.id  $upstream_http_location ~/queue/([^/?]+);
    }
    route GET ~^/queue/(?<see_other>[^/]+)$ status=200,303 {
        state   $status;
        states  STARTED 200;
        states  FINISHED 303;
    }
EOF

# AWS: CodeBuild, by a header; Batch, by paths

$maps{aws} = <<'EOF';
map $http_x_amz_target $codebuild {
    default                                       0;
    ~*^CodeBuild_20161006\.(?:StartBuild|RetryBuild)$  launch;
    ~*^CodeBuild_20161006\.BatchGetBuilds$        list;
    ~*^CodeBuild_20161006\.StopBuild$             one;
}
map $codebuild $codebuild_launch { default 0; launch 1; }
map $codebuild $codebuild_list { default 0; list 1; }
map $codebuild $codebuild_one { default 0; one 1; }
EOF

$describes{aws} = <<'EOF';
    execution      "";
    omit           /environment /parameters /container /jobDefinition;

    route POST / when=$codebuild_launch { launch; each /build; id /id;
        state /currentPhase; states LAUNCHED SUBMITTED QUEUED; }
    route POST / when=$codebuild_one { each /build; id /id;
        state /currentPhase; states LAUNCHED SUBMITTED QUEUED;
        states FINISHED COMPLETED; present FINISHED /buildComplete=true; }
    route POST / when=$codebuild_list { each /builds/*; id /id;
        state /currentPhase; states LAUNCHED SUBMITTED QUEUED;
        states FINISHED COMPLETED; present FINISHED /buildComplete=true; }

    route POST /v1/submitjob { launch; id /jobId; }
    route POST /v1/describejobs { each /jobs/*; id /jobId; state /status;
        states LAUNCHED SUBMITTED PENDING RUNNABLE; states STARTED STARTING;
        states FINISHED SUCCEEDED FAILED; }
    route POST /v1/listjobs { each /jobSummaryList/*; id /jobId; state /status;
        states LAUNCHED SUBMITTED PENDING RUNNABLE;
        states FINISHED SUCCEEDED FAILED; }
EOF

# Terraform Cloud: JSON:API

$describes{terraform} = <<'EOF';
    id             /id;
    execution      "";
    goal.id        /relationships/workspace/data/id;
    omit           /relationships /links;
    require        /type runs;

    state          /attributes/status;
    states         LAUNCHED pending;
    states         FINISHED applied discarded errored canceled force_canceled
                            planned_and_finished policy_soft_failed;
    updated        /attributes/status;

    route POST /api/v2/runs { launch; each /data; }
    route GET ~^/api/v2/runs/[^/]+$ { each /data; }
    route GET ~^/api/v2/workspaces/[^/]+/runs$ { each /data/*; }
EOF

# Elasticsearch: a task's id is made of two members, one a number

$describes{elasticsearch} = <<'EOF';
    id             "${/task/node}:${/task/id}";
    execution      "";
    goal.name      /task/action;
    omit           /task/description;

    present        STARTED  /completed=false;
    present        FINISHED /completed=true;
    updated        /task/status/updated /task/status/created;

    route POST ~^/(?:_reindex|.+/_update_by_query|.+/_delete_by_query)$ {
        launch;
        id         /task;
        execution  /task;
    }
    route GET ~^/_tasks/[^/]+:\d+$ { }
EOF

# Grafana Cloud k6: a status that is a number, below zero at first

$describes{k6} = <<'EOF';
    id             /id /reference_id;
    execution      "";
    goal.id        /test_id;

    state          /run_status;
    states         LAUNCHED -2 -1 0 1;
    states         STARTED 2;
    states         FINISHED 3 4 5 6 7 8 9 10;

    route POST ~^/loadtests/v2/tests/\d+/start-testrun$ {
        launch;
        each  /k6-run /k6-runs/*;
    }
    route GET ~^/loadtests/v2/runs/\d+$ { each /k6-run; }
    route GET /loadtests/v2/runs { each /k6-runs/*; }
EOF

# Bitbucket: ids in braces, a stage within the state

$describes{bitbucket} = <<'EOF';
    id             /uuid;
    execution      "";
    goal.name      /target/ref_name;
    sender.id      /creator/uuid;
    sender.name    /creator/display_name;
    omit           /repository /creator /links;

    state          "${/state/name} ${/state/stage/name}" /state/name;
    states         LAUNCHED PENDING "~^PENDING ";
    states         FINISHED COMPLETED "~^COMPLETED ";

    route POST ~^/2\.0/repositories/[^/]+/[^/]+/pipelines/?$ { launch; }
    route GET "~^/2\.0/repositories/[^/]+/[^/]+/pipelines/(?<bb>\{[^/]+\})$" { }
    route GET ~^/2\.0/repositories/[^/]+/[^/]+/pipelines/?$ { each /values/*; }
EOF

# Docker Engine: dates of the year 1 until they are there, and a container
# that is started again; its name in the path may be any

$describes{docker} = <<'EOF';
    id             /Id;
    execution      "";
    goal.name      /Config/Image;
    omit           /Config /HostConfig /NetworkSettings /Mounts;

    present        STARTED  /State/StartedAt=~^[1-9];
    present        FINISHED /State/Status=exited /State/Status=dead;
    run            /State/StartedAt;

    route POST "~^(?:/v[\d.]+)?/containers/create$" { launch; }
    route GET "~^(?:/v[\d.]+)?/containers/[^/]+/json$" { }
EOF

# Drone: seconds that are 0 until they are there

$describes{drone} = <<'EOF';
    id             /id;
    execution      "";
    goal.name      /source;

    present        STARTED  /started=~^[1-9];
    present        FINISHED /finished=~^[1-9];

    route POST ~^/api/repos/[^/]+/[^/]+/builds(?:/\d+)?$ { launch; }
    route GET ~^/api/repos/[^/]+/[^/]+/builds/(?:\d+|latest)$ { }
    route GET ~^/api/repos/[^/]+/[^/]+/builds$ { each /*; }
EOF

# Snowflake's SQL API: 202 while it runs, 422 when it failed

$describes{snowflake} = <<'EOF';
    id             /statementHandle;
    execution      "";
    omit           /data /resultSetMetaData;

    state          $status;
    states         STARTED  202;
    states         FINISHED 200 422;

    route POST /api/v2/statements { launch; }
    route GET ~^/api/v2/statements/[^/]+$ status=200,202,422 { }
    route POST ~^/api/v2/statements/[^/]+/cancel$ { }
EOF

# Trino: each answer names where to ask next, under a path of another kind

$describes{trino} = <<'EOF';
    id             /id;
    execution      "";
    execution.url  /infoUri;
    omit           /data /columns;

    state          /stats/state;
    states         LAUNCHED QUEUED WAITING_FOR_RESOURCES;
    states         FINISHED FINISHED FAILED;
    updated        /stats/progressPercentage;

    route POST /v1/statement { launch; }
    route GET ~^/v1/statement/(?:queued|executing)/[^/]+/[^/]+/\d+$ { }
EOF

# openQA: one launch, many ids and nothing else

$describes{openqa} = <<'EOF';
    id             /id;
    execution      "";
    goal.name      /test;
    project.id     /group_id;
    omit           /settings;

    state          /state;
    states         LAUNCHED scheduled assigned;
    states         FINISHED done cancelled;

    route POST /api/v1/isos { launch; each /ids/*; id ""; execution ""; }
    route GET ~^/api/v1/jobs/\d+$ { each /job; }
    route GET /api/v1/jobs { each /jobs/*; }
EOF

# ZAP: a launch by GET, an id in the query, and a percentage as the status

$describes{zap} = <<'EOF';
    id             /scan;
    execution      "";

    route GET /JSON/ascan/action/scan/ { launch; }
    route GET /JSON/ascan/view/status/ {
        id         $arg_scanid;
        state      /status;
        states     FINISHED 100;
        updated    /status;
    }
EOF

# scrapyd: lists that say by their names where a job stands

$describes{scrapyd} = <<'EOF';
    id             /jobid /id;
    execution      "";
    goal.name      /spider;
    project.name   /project;

    route POST /schedule.json { launch; require /status ok; }
    route GET /listjobs.json {
        each    /*/*;
        state   1#;
        states  LAUNCHED pending;
        states  FINISHED finished;
    }
EOF

# Celery's Flower: keys with hyphens, tasks in an object

$describes{flower} = <<'EOF';
    id             /task-id /uuid;
    execution      "";
    goal.name      /name;
    omit           /args /kwargs /result;

    state          /state;
    states         LAUNCHED PENDING RECEIVED;
    states         FINISHED SUCCESS FAILURE REVOKED;

    route POST ~^/api/task/(?:async-apply|send-task|apply)/[^/]+$ { launch; }
    route GET ~^/api/task/(?:info|result)/[^/]+$ { }
    route GET /api/tasks { each /*; }
EOF

# Hadoop's YARN: a list two levels down, null when it is empty

$describes{yarn} = <<'EOF';
    id             /id /application-id;
    execution      "";
    execution.url  /trackingUrl;
    goal.name      /name;
    sender.name    /user;

    state          /state;
    states         LAUNCHED NEW NEW_SAVING SUBMITTED ACCEPTED;
    states         FINISHED FINISHED FAILED KILLED;
    updated        /progress;

    route GET ~^/ws/v1/cluster/apps/[^/]+$ { each /app; }
    route GET ~^/ws/v1/cluster/apps/(?<yarn_app>[^/]+)/state$ {
        id         $yarn_app;
        execution  $yarn_app;
    }
    route PUT ~^/ws/v1/cluster/apps/(?<yarn_app>[^/]+)/state$ {
        id         $yarn_app;
        execution  $yarn_app;
    }
    route GET /ws/v1/cluster/apps { each /apps/app/*; }
EOF

# UiPath Orchestrator: OData, keys in parentheses

$describes{uipath} = <<'EOF';
    id             /Id;
    execution      "";
    goal.name      /ReleaseName;
    omit           /InputArguments /OutputArguments;

    state          /State;
    states         LAUNCHED Pending;
    states         FINISHED Faulted Successful Stopped;

    route POST ~^/odata/Jobs/UiPath\.Server\.Configuration\.OData\.StartJobs$ {
        launch;
        each  /value/*;
    }
    route GET ~^/odata/Jobs\(\d+\)$ { }
    route GET /odata/Jobs { each /value/*; }
EOF

# Kubeflow Pipelines: retried by a request that answers nothing, and dates of
# 1970 until they are there

$describes{kubeflow} = <<'EOF';
    id             /run_id;
    execution      "";
    goal.id        /pipeline_version_reference/pipeline_id;
    goal.name      /display_name;
    omit           /runtime_config /run_details /pipeline_spec;

    state          /state;
    states         LAUNCHED PENDING RUNTIME_STATE_UNSPECIFIED;
    states         FINISHED SUCCEEDED SKIPPED FAILED CANCELED;
    run            /finished_at;

    route POST /apis/v2beta1/runs { launch; }
    route POST ~^/apis/v2beta1/runs/(?<kfp_run>[^/:]+):retry$ {
        rerun;
        id         $kfp_run;
        execution  $kfp_run;
    }
    route GET ~^/apis/v2beta1/runs/[^/:]+$ { }
    route GET /apis/v2beta1/runs { each /runs/*; }
EOF

# ComfyUI: lists of lists, and seeds that are unsigned integers of 64 bits

$describes{comfyui} = <<'EOF';
    id             /prompt_id;

    route POST /prompt { launch; }
    route GET /queue {
        each       /*/*;
        id         /1;
        state      1#;
        states     LAUNCHED queue_pending;
    }
    route GET ~^/history(?:/[^/]+)?$ {
        each       /*;
        id         0#;
        execution  /status;
        goal       /prompt/2;
        present    FINISHED /status/completed;
    }
EOF

# Hetzner Cloud: an answer with one action, and with more of them beside it

$describes{hetzner} = <<'EOF';
    id             /id;
    execution      "";
    goal.name      /command;

    state          /status;
    states         FINISHED success error;
    updated        /progress;

    route POST,DELETE ~^/v1/(?:servers|volumes)(?:/.+)?$ {
        launch;
        each  /action /actions/*;
        each  /next_actions/*;
    }
    route GET ~^/v1/actions/\d+$ { each /action; }
    route GET /v1/actions { each /actions/*; }
EOF

# Windmill: a launch answers with the id as plain text, and what there is of a
# job says by its type where it stands

$describes{windmill} = <<'EOF';
    id             /id;
    execution      "";
    goal.name      /script_path;
    sender.name    /created_by;
    omit           /args /result /logs;

    present        STARTED  /running=true;
    present        FINISHED /type=CompletedJob;

    route POST ~^/api/w/[^/]+/jobs/run/ body=text {
        launch;
        id         "" "~^[0-9a-f-]{36}$";
    }
    route GET ~^/api/w/[^/]+/jobs_u/get/[^/]+$ { }
    route GET ~^/api/w/[^/]+/jobs/list$ { each /*; }
    route GET ~^/api/w/[^/]+/jobs_u/(?<windmill>[^/]+)/state$ body=text {
        id         $windmill;
        state      "";
        states     FINISHED done;
    }
EOF

# Oozie: what is asked for stands in the query, dates are as in HTTP, and a
# workflow runs again under its old id

$maps{oozie} = <<'EOF';
map $arg_action $oozie_rerun { default 0; rerun 1; }
map $arg_show $oozie_info { default 0; "" 1; info 1; }
EOF

$describes{oozie} = <<'EOF';
    id             /id;
    execution      "";
    execution.url  /consoleUrl;
    goal.name      /appName;
    sender.name    /user;
    omit           /conf /actions;

    state          /status;
    states         LAUNCHED PREP;
    states         FINISHED SUCCEEDED KILLED FAILED;
    run            /endTime;

    route POST ~^/oozie/v[12]/jobs$ status=201 { launch; }
    route PUT ~^/oozie/v[12]/job/(?<oozie>[^/]+)$ when=$oozie_rerun {
        rerun;
        id  $oozie;
    }
    route GET ~^/oozie/v[12]/job/[^/]+$ when=$oozie_info { }
    route GET ~^/oozie/v[12]/jobs$ { each /workflows/*; }
EOF

# AppVeyor: a build and its jobs, of other ids and words, in one answer

$describes{appveyor} = <<'EOF';
    id             /buildId;
    execution      "";
    goal.name      1/project/slug;
    snapshot.id    /commitId;

    state          /status;
    states         LAUNCHED queued;
    states         FINISHED success failed cancelled;

    route POST /api/builds { launch; }
    route GET ~^/api/projects/[^/]+/[^/]+(?:/builds?/.+)?$ {
        each  /build;
        omit  /jobs;
    }
    also {
        each       /build/jobs/*;
        id         /jobId;
        goal.name  3/project/slug;
        updated    /passedTestsCount /failedTestsCount;
    }
EOF

# aria2: JSON-RPC, one question or several, and a bare id as the result

$maps{aria2} = <<'EOF';
map $request_body $aria2_adds {
    default                          0;
    "~\"method\"\s*:\s*\"aria2\.add"  1;
}
EOF

$describes{aria2} = <<'EOF';
    id             /gid;
    execution      "";

    state          /status;
    states         LAUNCHED waiting;
    states         FINISHED error complete removed;
    updated        /completedLength;

    route POST /jsonrpc when=$aria2_adds {
        launch;
        each       /result /*/result;
        id         "" ~^\w+$;
        execution  "";
    }
    also { each /*/result; require /status; }
    route POST /jsonrpc { each /result; each /*/result; each /result/*; }
EOF

# FHIR's bulk export: "Prefer: respond-async", and all in headers

$describes{fhir} = <<'EOF';
    id             $fhir_job;
    execution.id   $fhir_job;

    route GET,POST ~/\$export$ status=202 body=off {
        launch;
        id            $upstream_http_content_location ~%/bulkstatus/([^/?]+);
        execution.id  $upstream_http_content_location ~%/bulkstatus/([^/?]+);
    }
    route GET ~/bulkstatus/(?<fhir_job>.+)$ status=200,202 body=off {
        state    $status;
        states   STARTED  202;
        states   FINISHED 200;
        updated  $upstream_http_x_progress;
    }
    route DELETE ~/bulkstatus/(?<fhir_job>.+)$ status=202 body=off {
        state    over;
        states   FINISHED over;
    }
EOF

# TestRail: what is asked for is the query, which has no names

$maps{testrail} = <<'EOF';
map $args $testrail_add { default 0; ~^/api/v2/add_run/ 1; }
map $args $testrail_one { default 0; ~^/api/v2/(?:get|close|update)_run/ 1; }
map $args $testrail_all { default 0; ~^/api/v2/get_runs/ 1; }
EOF

$describes{testrail} = <<'EOF';
    id             /id;
    execution      "";
    goal.name      /name;

    present        STARTED  /is_completed=false;
    present        FINISHED /is_completed=true;
    updated        /passed_count /failed_count;

    route POST /index.php when=$testrail_add { launch; }
    route GET,POST /index.php when=$testrail_one { }
    route GET /index.php when=$testrail_all { each /runs/* /*; }
EOF

# SAP's OData 2: dates as "/Date(1764331189809)/"

$describes{odata2} = <<'EOF';
    id             /JobId;
    execution      "";
    omit           /__metadata;

    state          /Status;
    states         LAUNCHED S P;
    states         FINISHED F A;
    run            /StartTime "~\((\d+)";

    route POST ~/JobSet$ { launch; each /d; }
    route GET "~/JobSet\('[^']+'\)$" { each /d; }
    route GET ~/JobSet$ { each /d/results/*; }
EOF

# Argo CD: an application is synced again and again, by nobody, too; the answer
# to a sync shows the one before

$describes{argocd} = <<'EOF';
    id             /metadata/uid;
    execution      /status/operationState;
    goal.name      /metadata/name;

    state          /status/operationState/phase;
    states         FINISHED Succeeded Failed Error;
    run            /status/operationState/startedAt;

    route POST ~^/api/v1/applications/[^/]+/sync$ {
        launch;
        state      /none;
        execution  /operation;
    }
    route GET ~^/api/v1/applications/[^/]+$ { }
    route GET /api/v1/applications { each /items/*; }
EOF

# Temporal: a launch of what runs already is answered, too

$describes{temporal} = <<'EOF';
    id             "${/execution/workflowId} ${/execution/runId}";
    execution      "";
    goal.name      /type/name;

    state          /status;
    states         FINISHED ~_COMPLETED$ ~_FAILED$ ~_CANCELED$ ~_TERMINATED$
                            ~_CONTINUED_AS_NEW$ ~_TIMED_OUT$;

    route POST ~^/api/v1/namespaces/[^/]+/workflows/(?<temporal>[^/]+)$ {
        launch;
        require  /started !false;
        id       "$temporal ${/runId}";
    }
    route GET ~^/api/v1/namespaces/[^/]+/workflows/[^/]+$ {
        each  /workflowExecutionInfo;
    }
    route GET ~^/api/v1/namespaces/[^/]+/workflows$ { each /executions/*; }
EOF

# Proxmox VE: the id is text in a member; a list has a date instead of a status

$describes{proxmox} = <<'EOF';
    id             /upid;
    execution      "";
    goal.name      /type;

    state          /status;
    states         FINISHED stopped;

    route POST,PUT,DELETE ~^/api2/json/nodes/ {
        launch;
        id         /data ~^UPID:.+;
        execution  /data;
    }
    route GET ~^/api2/json/nodes/[^/]+/tasks/[^/]+/status$ { each /data; }
    route GET ~^/api2/json/(?:nodes/[^/]+|cluster)/tasks$ {
        each      /data/*;
        state     /none;
        present   STARTED  /starttime;
        present   FINISHED /endtime;
    }
EOF

# GoCD: stages of a pipeline's run, each with a counter of its own

$describes{gocd} = <<'EOF';
    each           /stages/*;
    require        /scheduled true;
    id             "${2/name}/${2/counter}/${/name}/${/counter}";
    execution      "";
    omit           /jobs;

    state          /status;
    states         LAUNCHED Unknown;
    states         FINISHED Passed Failed Cancelled;

    route GET ~^/go/api/pipelines/[^/]+/\d+$ { }
    route GET ~^/go/api/pipelines/[^/]+/history$ {
        each  /pipelines/*/stages/*;
    }
EOF

# Locust: one test at a time, which has no id

$describes{locust} = <<'EOF';
    id             "test on $hostname";
    execution      "";
    omit           /stats /errors /workers;

    state          /state;
    states         LAUNCHED ready;
    states         FINISHED stopped;
    updated        /user_count;

    route POST /swarm {
        launch;
        require  /success true;
        state    /none;
    }
    route GET /stats/requests { }
EOF

# 201 for a job that is new, 200 for the same once more, 404 when it is gone

$maps{'by-status'} = <<'EOF';
map $status $by_status_new { default 0; 201 1; }
map $status $by_status_gone { default 0; 404 1; }
EOF

$describes{'by-status'} = <<'EOF';
    id             /id;
    execution      "";
    state          /status;
    states         FINISHED done;

    route POST /jobs when=$by_status_new { launch; }
    route POST /jobs { }
    route GET ~^/jobs/(?<gone>[^/]+)$ status=404 when=$by_status_gone body=off {
        id         $gone;
        execution  $gone;
        state      over;
        states     FINISHED over;
    }
    route GET /jobs/* { }
EOF

# Buildbot: one URL for several calls of JSON-RPC, ids in the second of a list's
# elements, and a build that ends to be tried again

$describes{buildbot} = <<'EOF';
    id             /buildrequestid;
    execution      "";
    state          "${/complete} ${/results}" /complete;
    states         STARTED "true 5";
    states         FINISHED ~^true;
    updated        /state_string;

    route POST ~^/api/v2/(?:forceschedulers/[^/]+|builds/\d+)$ {
        launch;
        each     /result/1/*;
        id       "";
        goal.id  0#;
        state    /none;
    }
    route GET ~^/api/v2/buildrequests/\d+$ {
        each    /buildrequests/*;
        state   "${/complete} ${/claimed}";
        states  LAUNCHED "false false";
        states  FINISHED ~^true;
    }
    route GET ~^/api/v2/(?:buildrequests/\d+/)?builds(?:/\d+)?$ {
        each  /builds/*;
    }
EOF

# Conductor: launches answer with the id as plain text, retries with nothing, or
# several of them with a list of ids

$describes{conductor} = <<'EOF';
    id             /workflowId;
    execution      "";
    goal.name      /workflowName /workflowType;
    omit           /input /output /tasks;

    state          /status;
    states         FINISHED COMPLETED FAILED TIMED_OUT TERMINATED;

    route POST ~^/api/workflow/bulk/(?:retry|restart)$ {
        rerun;
        each  /bulkSuccessfulResults/*;
        id    "";
    }
    route POST ~^/api/workflow/(?<conductor>[^/]+)/(?:retry|restart)$ body=off {
        rerun;
        id         $conductor;
        execution  $conductor;
    }
    route POST ~^/api/workflow(?:/[^/]+)?$ body=text { launch; id "" ~[\w-]+; }
    route GET /api/workflow/search { each /results/*; }
    route GET ~^/api/workflow/[^/]+$ { }
    route DELETE ~^/api/workflow/(?<conductor>[^/]+)$ body=off {
        id         $conductor;
        execution  $conductor;
        state      over;
        states     FINISHED over;
    }
EOF

# ArangoDB: any request may be stored, and its result, an error as well, is told
# by a header from what is said of the job

$maps{arangodb} = <<'EOF';
map $http_x_arango_async $arangodb_stored { default 0; store 1; }
EOF

$describes{arangodb} = <<'EOF';
    route GET,PUT ~^/_db/[^/]+/_api/job/(?<arangodb>\d+)$ status=2xx,404,409 body=off {
        id         $arangodb;
        execution  $arangodb;
        state      "$status $upstream_http_x_arango_async_id";
        states     STARTED ~^204;
        states     FINISHED "~ \d";
    }
    route GET ~^/_db/[^/]+/_api/job/(?<arangodb_list>done|pending)$ {
        each       /*;
        id         "";
        execution  "";
        state      $arangodb_list;
        states     FINISHED done;
    }
    route * /* status=202 when=$arangodb_stored body=off {
        launch;
        id         $upstream_http_x_arango_async_id;
        execution  $upstream_http_x_arango_async_id;
    }
EOF

# Ghost Inspector: launches by GET, an envelope that may say "ERROR", and a
# result that is null as long as it runs

$describes{'ghost-inspector'} = <<'EOF';
    id             /_id;
    execution      "";
    goal.id        /test/_id;
    goal.name      /name;
    omit           /steps;
    each           /data;
    require        1/code SUCCESS;

    present        STARTED /dateExecutionStarted;
    present        FINISHED /passing;

    route GET,POST ~^/v1/tests/[^/]+/execute/$ { launch; }
    route GET ~^/v1/results/[^/]+/$ { }
EOF

# openEO: a job that is only created is none yet, and is started, and again,
# under its id by what answers nothing

$describes{openeo} = <<'EOF';
    id             /id;
    execution      "";
    goal.name      /title;
    omit           /process;

    state          /status;
    states         LAUNCHED queued;
    states         FINISHED canceled finished error;
    updated        /progress;

    route POST ~^/jobs/(?<openeo>[^/]+)/results$ {
        launch;
        id         $openeo;
        execution  $openeo;
    }
    route DELETE ~^/jobs/(?<openeo>[^/]+)/results$ status=204 {
        id         $openeo;
        execution  $openeo;
        state      over;
        states     FINISHED over;
    }
    route GET ~^/jobs/[^/]+$ { require /status !created; }
    route GET /jobs { each /jobs/*; require /status !created; }
EOF

my @apis = sort keys %describes;

my $t = WebhookTest->new(workers => 1);
my $hook = $t->receiver('hook');
my $api = $t->upstream('api');

$t->http_config(join('', map { $maps{$_} || '' } @apis) . join('', map { <<"EOF"

webhook_api $_ {
$describes{$_}
}

server {
    listen  127.0.0.1:@{[ $t->port("$_-server") ]};

    location / {
        proxy_pass                 %%URL_api%%;
        proxy_ignore_client_abort  on;
        webhook_observe            $_;
    }
}
EOF
} @apis) . <<'EOF');

webhook_zone  zone=webhooks:4m;

webhook hook {
    url            %%URL_hook%%/;
    events         EXECUTION;
    max_in_flight  1;
}

log_format  main  '$request_method $request_uri $webhook_events';
access_log  %%TESTDIR%%/access.log main;

server {
    listen       127.0.0.1:%%PORT_0%%;
    server_name  localhost;

    location / { webhook_status write=on; }
}

EOF

$t->run();

###############################################################################

my ($name, @new);
my $taken = 0;

# events of one answer: "id EVENT ..."; how many comes from the access log

sub events {
	my ($what, $answer, %o) = @_;

	my ($method, $uri) = split / /, $what;

	$api->set($uri => { status => $o{status} || 200,
		body => ref $answer ? JSON::PP->new->canonical->encode($answer)
			: $answer,
		headers => { 'Content-Type' => 'application/json',
			%{ $o{answer} || {} } },
		map { $_ => $o{$_} } grep { $o{$_} } qw/ gzip chunked / });

	my $before = length $t->access_log();
	my $r = $t->request($method, $uri, port => "$name-server",
		body => $o{body}, headers => $o{headers} || []);

	is($r->status, $o{status} || 200, "$name: $what") if $r->status
		!= ($o{status} || 200);

	my $n;

	wait_for {
		($n) = substr($t->access_log(), $before)
			=~ /^\Q$method $uri\E (\d+)\n/m;
		return defined $n;
	};

	my @all = $hook->wait_requests($taken + $n);
	@new = map { $_->json } splice @all, $taken;
	$taken += @new;

	# an event that waits for the answer to the one before keeps no order

	wait_for {
		my $state = $t->get('/hooks/hook', host => 'localhost')->json;
		!$state->{waiting} && !$state->{in_flight};
	} or die "$name: deliveries wait\n";

	return join ' ', map { "$_->{execution}{id} $_->{event}" } @new;
}

sub seen {
	my ($what, $answer, $expected, $test, %o) = @_;

	is(events($what, $answer, %o), $expected, "$name - $test");
}

my ($true, $false) = (JSON::PP::true, JSON::PP::false);

###############################################################################

$name = 'argo';

sub workflow {
	my ($uid, $phase, %o) = @_;

	return { metadata => { name => 'hello-x7k', namespace => 'argo',
		uid => $uid, managedFields => [] }, spec => {
		workflowTemplateRef => { name => 'hello' }, arguments => {} },
		status => { startedAt => undef, finishedAt => undef,
		($phase ? (phase => $phase) : ()), %o } };
}

seen('POST /api/v1/workflows/argo/submit', workflow('u1'), 'u1 LAUNCHED',
	'submitted, without a phase');
is($new[0]{execution}{url}, '/workflows/argo/hello-x7k', 'argo - a link');
seen('GET /api/v1/workflows/argo/hello-x7k', { %{ workflow('u1') },
	status => { phase => '' } }, '', 'an empty one');
seen('GET /api/v1/workflows/argo/hello-x7k', workflow('u1', 'Pending'), '',
	'waits');
seen('GET /api/v1/workflows/argo/hello-x7k', workflow('u1', 'Running',
	progress => '0/2'), 'u1 STARTED', 'runs');
seen('GET /api/v1/workflows/argo', { metadata => {}, items => undef }, '',
	'an empty list');
seen('GET /api/v1/workflows/argo?fields=items.status', { items => [
	workflow('u1', 'Running', progress => '1/2') ] }, 'u1 UPDATED',
	'a list', chunked => 7);
seen('PUT /api/v1/workflows/argo/hello-x7k/stop', workflow('u1', 'Running',
	progress => '1/2'), '', 'being stopped');
seen('GET /api/v1/workflows/argo/hello-x7k', workflow('u1', 'Failed',
	progress => '1/2', nodes => { a => { phase => 'Failed' } }),
	'u1 FINISHED', 'failed', gzip => 1);
ok(!exists $new[0]{execution}{status}{nodes}, 'argo - no nodes');
seen('PUT /api/v1/workflows/argo/hello-x7k/retry', workflow('u1', 'Running',
	progress => '1/2'), 'u1 LAUNCHED u1 STARTED', 'retried');
seen('GET /api/v1/workflows/argo/hello-x7k', workflow('u1', 'Succeeded'),
	'u1 FINISHED', 'succeeded');
seen('PUT /api/v1/workflows/argo/hello-x7k/resubmit', workflow('u2'),
	'u2 LAUNCHED', 'another one');

$name = 'awx';

sub job {
	my ($id, $status, %o) = @_;

	return { id => $id, type => 'job', url => "/api/v2/jobs/$id/",
		status => $status, failed => $false, started => undef,
		finished => undef, elapsed => 0.0, job_template => 7,
		extra_vars => '{"password":"x"}', launched_by => { id => 1,
		name => 'admin', type => 'user' }, summary_fields => {
		job_template => { id => 7, name => 'Deploy' } }, %o };
}

seen('POST /api/v2/job_templates/7/launch/', { job => 55, ignored_fields => {},
	%{ job(55, 'pending') } }, '55 LAUNCHED', 'launched', status => 201);
is_deeply([ @{ $new[0] }{qw/ goal sender /} ], [ { id => 7, name => 'Deploy' },
	{ id => 1, name => 'admin' } ], 'awx - template and user');
seen('GET /api/v2/jobs/55/', job(55, 'waiting'), '', 'waits');
seen('GET /api/v2/unified_jobs/?page=1', { count => 3, next => undef, results
	=> [ job(55, 'running', started => '2026-11-28T12:00:00.123456Z'),
	{ id => 54, type => 'project_update', status => 'running' },
	job(53, 'successful') ] }, '55 STARTED', 'in a list of all kinds');
seen('POST /api/v2/jobs/55/cancel/', '', '', 'being cancelled', status => 202);
seen('GET /api/v2/jobs/55/', job(55, 'canceled', started =>
	'2026-11-28T12:00:00Z', finished => '2026-11-28T12:01:00Z'),
	'55 FINISHED', 'cancelled');
seen('POST /api/v2/jobs/55/relaunch/', { job => 56, %{ job(56, 'pending') } },
	'56 LAUNCHED', 'launched again', status => 201);
seen('GET /api/v2/jobs/56/job_events/', { results => [ job(57, 'running') ] },
	'', 'something else');

$name = 'rundeck';

sub execution {
	my ($id, $status, %o) = @_;

	return { id => $id, href => "http://h/api/41/execution/$id", permalink =>
		"http://h/project/p/execution/show/$id", status => $status,
		project => 'p', executionType => 'user', user => 'admin',
		'date-started' => { unixtime => 1764331189809, date =>
		'2026-11-28T11:59:49Z' }, job => { id => 'j-1', name => 'deploy',
		options => { pass => 'x' } }, argstring => '-pass x', %o };
}

seen('POST /api/41/job/j-1/run', execution(9, 'running'),
	'9 LAUNCHED 9 STARTED', 'run');
is($new[0]{execution}{url}, 'http://h/project/p/execution/show/9',
	'rundeck - a link');
is($new[0]{execution}{'date-started'}{unixtime}, 1764331189809,
	'rundeck - a date');
seen('GET /api/41/execution/9/state', { executionState => 'RUNNING',
	executionId => 9, completed => $false }, '', 'the state of its steps');
seen('GET /api/41/execution/9/abort', { abort => { status => 'pending' },
	execution => { id => '9', status => 'running' } }, '', 'being aborted');
seen('GET /api/41/execution/9', { error => $true, apiversion => 41, errorCode
	=> 'api.error.item.doesnotexist', message => 'x' }, '',
	'an error that is none');
seen('GET /api/41/project/p/executions/running', { paging => { count => 1 },
	executions => [ execution(9, 'running'), execution(10, 'scheduled') ] },
	'10 LAUNCHED', 'those that run');
seen('GET /api/41/execution/9/state', { executionState => 'ABORTED',
	executionId => 9, completed => $true }, '9 FINISHED', 'aborted');
seen('GET /api/41/execution/9', execution(9, 'aborted'), '', 'once');

$name = 'databricks';

sub databricks {
	my ($life, $result) = @_;

	return { run_id => 455644833445566778, job_id => 11223344, run_name =>
		'nightly', state => { life_cycle_state => $life, state_message =>
		'', user_cancelled_or_timedout => $false, ($result ?
		(result_state => $result) : ()) }, start_time => 1764331189809,
		end_time => 0, run_page_url => 'https://h/#job/11223344/run/1',
		creator_user_name => 'a@b.c', tasks => [] };
}

my $rid = '455644833445566778';

seen('POST /api/2.1/jobs/run-now', '{"run_id":455644833445566778,'
	. '"number_in_job":455644833445566778}', "$rid LAUNCHED", 'run');
seen("GET /api/2.1/jobs/runs/get?run_id=$rid", databricks('PENDING'), '',
	'pending');
seen("GET /api/2.1/jobs/runs/get?run_id=$rid", databricks('RUNNING'),
	"$rid STARTED", 'running');
is($new[0]{execution}{end_time}, 0, 'databricks - no end yet');
seen("GET /api/2.1/jobs/runs/get?run_id=$rid", databricks('TERMINATING'), '',
	'terminating');
seen('GET /api/2.1/jobs/runs/list?active_only=false', { runs =>
	[ databricks('TERMINATED', 'FAILED') ], has_more => $false },
	"$rid FINISHED", 'terminated, in a list');
is($new[0]{execution}{state}{result_state}, 'FAILED', 'databricks - result');
seen('GET /api/2.1/jobs/runs/list', { has_more => $false }, '', 'no list');
seen('POST /api/2.1/jobs/runs/repair', '{"repair_id":734650698524280}',
	"$rid LAUNCHED", 'repaired', body => qq({"run_id": $rid}));
seen("GET /api/2.1/jobs/runs/get?run_id=$rid", databricks('RUNNING'),
	"$rid STARTED", 'runs again');

$name = 'prefect';

sub flow_run {
	my ($type, $count) = @_;

	return { id => 'f-1', name => 'wise-fox', flow_id => 'w', deployment_id
		=> 'd', state_type => $type, state => { type => $type, name => $type,
		data => {} }, run_count => $count, parameters => { token => 'x' },
		start_time => undef, total_run_time => 0.0 };
}

seen('POST /api/deployments/d/create_flow_run', flow_run('SCHEDULED', 0),
	'f-1 LAUNCHED', 'created', status => 201);
seen('GET /api/flow_runs/f-1', flow_run('PENDING', 0), '', 'pending');
seen('POST /api/flow_runs/filter', [ flow_run('RUNNING', 1) ], 'f-1 STARTED',
	'its first attempt');
seen('POST /api/flow_runs/f-1/set_state', { status => 'REJECT', state =>
	{ type => 'CANCELLED' } }, '', 'rejected');
seen('POST /api/flow_runs/f-1/set_state', { status => 'ACCEPT', state =>
	{ type => 'FAILED', id => 's-1' } }, 'f-1 FINISHED', 'failed');
seen('GET /api/flow_runs/f-1', flow_run('RUNNING', 2),
	'f-1 LAUNCHED f-1 STARTED', 'its second attempt');

$name = 'circleci';

sub workflows {
	return { items => [ map { { id => "w-$_->[0]", pipeline_id => 'p-1',
		status => $_->[1], project_slug => 'gh/o/r', created_at => $_->[2],
		stopped_at => undef } } @_ ], next_page_token => undef };
}

my $first = '2026-11-28T12:00:00Z';

seen('POST /api/v2/project/gh/o/r/pipeline', { number => 25, state => 'pending',
	id => 'p-1', created_at => $first }, 'p-1 LAUNCHED', 'triggered',
	status => 201);
seen('GET /api/v2/pipeline/p-1/workflow', workflows(), '', 'no workflow yet');
seen('GET /api/v2/pipeline/p-1/workflow', workflows([1, 'on_hold', $first]), '',
	'waits for a person');
seen('GET /api/v2/pipeline/p-1/workflow', workflows([2, 'running', $first],
	[1, 'success', $first]), 'p-1 STARTED', 'one of two');
seen('GET /api/v2/pipeline/p-1/workflow', { %{ workflows([1, 'success', $first])
	}, next_page_token => 'x' }, '', 'not all of them');
seen('GET /api/v2/pipeline/p-1/workflow', workflows([2, 'failed', $first],
	[1, 'success', $first]), 'p-1 FINISHED', 'both');
is(scalar @{ $new[0]{execution}{items} }, 2, 'circleci - all that is known');
seen('GET /api/v2/pipeline/p-1/workflow', workflows([3, 'running',
	'2026-11-28T13:00:00Z'], [2, 'failed', $first]),
	'p-1 LAUNCHED p-1 STARTED', 'run again');

$name = 'buildkite';

sub build {
	my ($state, %o) = @_;

	return { id => 'b-uuid', number => 7, state => $state, blocked => $false,
		web_url => 'https://buildkite.com/o/web/builds/7', commit => 'c0ffee',
		pipeline => { slug => 'web', name => 'Web' }, creator => { id => 'u',
		name => 'A', email => 'a@b.c' }, env => { K => 'x' }, jobs => [],
		finished_at => undef, %o };
}

my $builds = '/v2/organizations/o/pipelines/web/builds';

seen("POST $builds", build('scheduled'), 'web/7 LAUNCHED', 'created',
	status => 201);
is_deeply($new[0]{sender}, { name => 'A', email => 'a@b.c' },
	'buildkite - sender');
seen("GET $builds/7", build('running'), 'web/7 STARTED', 'runs');
seen('GET /v2/builds?state=running', [ build('failing'), build('running',
	number => 8) ], 'web/8 STARTED', 'a bare list');
seen("PUT $builds/7/cancel", build('canceling'), '', 'being canceled');
seen("GET $builds/7", build('canceled', finished_at => '2026-11-28T12:00:00Z'),
	'web/7 FINISHED', 'canceled');
seen("PUT $builds/7/jobs/j-1/retry", { id => 'j-2', state => 'scheduled' },
	'web/7 LAUNCHED', 'a job of it again');
seen("GET $builds/7", build('canceled', finished_at => '2026-11-28T12:00:00Z'),
	'', 'shown as it was');
seen("GET $builds/7", build('running'), 'web/7 STARTED', 'runs again');
seen("GET $builds/7", build('passed', finished_at => '2026-11-28T12:05:00Z'),
	'web/7 FINISHED', 'passed');

$name = 'teamcity';

sub teamcity {
	my ($state, %o) = @_;

	return { id => 123, buildTypeId => 'Web_Build', state => $state,
		href => '/app/rest/builds/id:123', webUrl => 'http://h/123',
		buildType => { id => 'Web_Build', name => 'Build' }, properties =>
		{ property => [] }, triggered => { user => { username => 'a' } },
		%o };
}

seen('POST /app/rest/buildQueue', teamcity('queued'), '123 LAUNCHED', 'queued');
is($new[0]{sender}{name}, 'a', 'teamcity - sender');
seen('GET /app/rest/buildQueue/id:123', teamcity('queued'), '', 'waits');
seen('GET /app/rest/builds/id:123', teamcity('running', status => 'SUCCESS',
	percentageComplete => 3), '123 STARTED', 'runs, so far with success');
seen('GET /app/rest/builds/?locator=state:any', { count => 1, build =>
	[ teamcity('running', status => 'SUCCESS', percentageComplete => 40) ] },
	'123 UPDATED', 'a list');
seen('GET /app/rest/builds/id:123', '<?xml version="1.0"?><build id="123"/>',
	'', 'XML', answer => { 'Content-Type' => 'application/xml' });
seen('GET /app/rest/builds/id:123/state', 'finished', '', 'a bare word',
	answer => { 'Content-Type' => 'text/plain' });
seen('POST /app/rest/builds/id:123', teamcity('finished', status => 'UNKNOWN',
	startDate => '20261128T120000+0000'), '123 FINISHED', 'canceled');

$name = 'azure-devops';

sub pipeline {
	my ($state, %o) = @_;

	return { _links => { web => { href => 'https://dev.azure.com/o/p' } },
		pipeline => { id => 12, name => 'web' }, state => $state, id => 1234,
		name => '20261128.1', templateParameters => { k => 'x' }, %o };
}

seen('POST /o/p/_apis/pipelines/12/runs?api-version=7.1',
	pipeline('inProgress'), '1234 LAUNCHED 1234 STARTED', 'run', answer => {
	'Content-Type' => 'application/json; charset=utf-8; api-version=7.1' });
is($new[0]{execution}{url}, 'https://dev.azure.com/o/p', 'azure - a link');
seen('GET /o/p/_apis/build/builds?api-version=7.1', { count => 2, value => [
	{ id => 1234, status => 'inProgress' }, { id => 1235, status =>
	'notStarted', definition => { id => 12 } } ] }, '1235 LAUNCHED',
	'as a build');
seen('PATCH /o/p/_apis/build/builds/1234', { id => 1234, status =>
	'cancelling' }, '', 'being canceled');
seen('GET /o/p/_apis/pipelines/12/runs/1234', '<html>Sign In</html>', '',
	'a page to sign in', status => 203);
seen('GET /o/p/_apis/pipelines/12/runs/1234', pipeline('completed',
	result => 'canceled'), '1234 FINISHED', 'completed');
is($new[0]{execution}{result}, 'canceled', 'azure - result');

$name = 'nomad';

my $dispatched = 'etl/dispatch-1485379325-cb38d00d';

sub nomad {
	my ($status, %o) = @_;

	return { ID => $dispatched, ParentID => 'etl', Namespace => 'default',
		Status => $status, StatusDescription => '', Stop => $false,
		SubmitTime => 1764331189809000000, Meta => { k => 'x' }, %o };
}

seen('POST /v1/job/etl/dispatch', { Index => 13, JobCreateIndex => 12,
	EvalID => 'e', DispatchedJobID => $dispatched }, "$dispatched LAUNCHED",
	'dispatched');
seen("GET /v1/job/etl%2Fdispatch-1485379325-cb38d00d", nomad('pending'), '',
	'pending');
seen("GET /v1/job/etl%2Fdispatch-1485379325-cb38d00d/allocations", [], '',
	'its allocations');
seen('GET /v1/jobs?prefix=etl', [ nomad('running'), { ID => 'etl', ParentID =>
	'', Status => 'running' } ], "$dispatched STARTED", 'a list with its parent');
seen("GET /v1/job/etl%2Fdispatch-1485379325-cb38d00d", nomad('dead'),
	"$dispatched FINISHED", 'dead');

$name = 'livy';

sub batch {
	my ($id, $state, %o) = @_;

	return { id => $id, name => undef, owner => undef, state => $state, appId =>
		undef, appInfo => { driverLogUrl => undef, sparkUiUrl => undef },
		log => [ 'stdout: ' ], %o };
}

seen('POST /batches', batch(0, 'starting'), '0 LAUNCHED', 'created',
	status => 201);
seen('GET /batches/0/state', { id => 0, state => 'running' }, '0 STARTED',
	'its state');
seen('GET /batches/0/log', { id => 0, from => 0, log => [] }, '', 'its log');
seen('GET /batches?from=0', { from => 0, total => 2, sessions => [ batch(0,
	'running', appInfo => { sparkUiUrl => 'http://h' }), batch(1, 'dead') ] },
	'0 UPDATED', 'a list');
seen('DELETE /batches/0', { msg => 'deleted' }, '0 FINISHED', 'deleted');

$name = 'camunda';

seen('POST /engine-rest/process-definition/key/pay/start', { links => [],
	id => 'i-1', definitionId => 'pay:1:x', ended => $false }, 'i-1 LAUNCHED',
	'7, started');
seen('GET /engine-rest/process-instance/i-1', { id => 'i-1', ended => $false },
	'i-1 STARTED', '7, there');
seen('GET /engine-rest/process-instance/i-1', { type =>
	'InvalidRequestException', message => 'x' }, 'i-1 FINISHED', '7, gone',
	status => 404);
seen('GET /engine-rest/history/process-instance/i-1', { id => 'i-1', state =>
	'COMPLETED', endTime => '2026-11-28T13:42:43.000+0200' }, '',
	'7, in the history');
seen('POST /v2/process-instances', { processDefinitionId => 'pay',
	processInstanceKey => '2251799813685249' }, '2251799813685249 LAUNCHED',
	'8, created');
seen('POST /v2/process-instances/search', { items => [ { processInstanceKey =>
	'2251799813685249', state => 'COMPLETED' } ], page => { totalItems => 1 } },
	'2251799813685249 STARTED 2251799813685249 FINISHED', '8, found');

$name = 'ga4gh';

seen('POST /ga4gh/tes/v1/tasks', { id => 'task-1' }, 'task-1 LAUNCHED',
	'a task');
seen('GET /ga4gh/tes/v1/tasks/task-1?view=MINIMAL', { id => 'task-1', state =>
	'INITIALIZING' }, 'task-1 STARTED', 'initialising');
seen('POST /ga4gh/tes/v1/tasks/task-1:cancel', {}, '', 'being cancelled');
seen('GET /ga4gh/tes/v1/tasks', { tasks => [ { id => 'task-1', state =>
	'CANCELED' } ], next_page_token => '' }, 'task-1 FINISHED', 'cancelled');
seen('POST /ga4gh/wes/v1/runs', { run_id => 'r-1' }, 'r-1 LAUNCHED', 'a run');
seen('GET /ga4gh/wes/v1/runs/r-1/status', { run_id => 'r-1', state => 'QUEUED'
	}, '', 'queued');
seen('GET /ga4gh/wes/v1/runs/r-1', { run_id => 'r-1', state => 'EXECUTOR_ERROR',
	run_log => { stdout => 'x' } }, 'r-1 STARTED r-1 FINISHED', 'an error');

$name = 'ogc';

my $job = '81574318-1eb1-4d7c-af61-4b3fbcf33c4f';

sub status_info {
	my ($status, %o) = @_;

	return { processID => 'buffer', type => 'process', jobID => $job, status =>
		$status, links => [ { rel => 'self', href => "/jobs/$job" } ], %o };
}

seen('POST /processes/buffer/execution', '', "$job LAUNCHED", 'without a body',
	status => 201, answer => { Location => "http://h/ogc/jobs/$job?f=json" });
seen('POST /processes/buffer/execution', { result => 5 }, '', 'done at once');
seen("GET /jobs/$job", status_info('accepted'), '', 'accepted');
seen("GET /jobs/$job", status_info('running', progress => 10), "$job STARTED",
	'running');
seen('GET /jobs?limit=1', { jobs => [ status_info('running', progress => 50) ],
	links => [] }, "$job UPDATED", 'a list');
seen("DELETE /jobs/$job", status_info('dismissed', progress => 50),
	"$job FINISHED", 'dismissed');

$name = 'slurm';

sub slurm {
	my ($id, @states) = @_;

	return { job_id => $id, name => 'sim', account => 'a', user_name => 'u',
		job_state => \@states, end_time => { set => $true, infinite => $false,
		number => 0 }, environment => [ 'K=x' ] };
}

seen('POST /slurm/v0.0.42/job/submit', { job_id => 53, step_id => 'batch',
	errors => [], warnings => [] }, '53 LAUNCHED', 'submitted');
seen('POST /slurm/v0.0.42/job/submit', { job_id => 0, errors => [ { error =>
	'x' } ] }, '', 'an error that is none');
seen('GET /slurm/v0.0.42/job/53', { jobs => [ slurm(53, 'PENDING') ] }, '',
	'pending');
seen('GET /slurm/v0.0.42/jobs/', { jobs => [ slurm(53, 'RUNNING'), slurm(54,
	'PENDING') ], last_update => {} }, '53 STARTED 54 LAUNCHED', 'a list');
seen('GET /slurm/v0.0.42/job/53', { jobs => [ slurm(53, 'CANCELLED',
	'COMPLETING') ] }, '', 'cancelled, and completing');
seen('GET /slurmdb/v0.0.42/job/53', { jobs => [ { job_id => 53, state =>
	{ current => [ 'CANCELLED' ], reason => 'None' } } ] }, '53 FINISHED',
	'in the accounts');
seen('GET /slurm/v0.0.39/job/54', { jobs => [ { job_id => 54, job_state =>
	'COMPLETED' } ] }, '54 STARTED 54 FINISHED', 'as text, in old versions');

$name = 'selenium';

seen('POST /session', { value => { sessionId => 's-1', capabilities => {} } },
	's-1 LAUNCHED s-1 STARTED', 'a session');
seen('DELETE /session/s-1', { value => undef }, 's-1 FINISHED', 'its end');
seen('GET /automate/builds.json', [ { automation_build => { name => 'b',
	hashed_id => 'h-1', status => 'running', duration => undef } } ],
	'h-1 STARTED', 'builds');
seen('GET /automate/builds.json', [ { automation_build => { name => 'b',
	hashed_id => 'h-1', status => 'done', duration => 71 } } ],
	'h-1 FINISHED', 'done');

$name = 'dagster';

my @launch = (body => '{"query":"mutation L($p:ExecutionParams!){launchRun('
	. 'executionParams:$p){__typename ... on LaunchRunSuccess{run{runId}}}}"}');
my @poll = (body => '{"query":"query R($id:ID!){runOrError(runId:$id){'
	. '__typename ... on Run{id status}}}"}');

seen('POST /graphql', { data => { launchRun => { __typename =>
	'LaunchRunSuccess', run => { runId => 'd-1', status => 'STARTING' } } } },
	'd-1 LAUNCHED', 'launched', @launch);
seen('POST /graphql', { data => { launchRun => { __typename => 'PythonError',
	message => 'x' } } }, '', 'an error that is none', @launch);
seen('POST /graphql', { errors => [ { message => 'x' } ], data => undef }, '',
	'nor this', @poll);
seen('POST /graphql', { data => { runOrError => { __typename => 'Run', id =>
	'd-1', status => 'STARTED', startTime => 1764331189.123 } } }, 'd-1 STARTED',
	'runs', @poll);
seen('POST /graphql', { data => { runOrError => { __typename => 'Run', id =>
	'd-1', status => 'CANCELING' } } }, '', 'being canceled', @poll);
seen('POST /graphql', { data => { runsOrError => { results => [ { runId =>
	'd-1', status => 'CANCELED', endTime => 1764331199.5 } ] } } },
	'd-1 FINISHED', 'a list', @poll);
is($new[0]{execution}{endTime}, 1764331199.5, 'dagster - a date');

$name = 'openai';

sub openai {
	my ($status, %o) = @_;

	return { id => 'batch_1', object => 'batch', endpoint => '/v1/responses',
		status => $status, in_progress_at => undef, request_counts => {
		total => 0, completed => 0, failed => 0 }, metadata => undef, %o };
}

seen('POST /v1/batches', openai('validating'), 'batch_1 LAUNCHED', 'a batch');
seen('GET /v1/batches/batch_1', openai('in_progress', in_progress_at =>
	1764331189), 'batch_1 STARTED', 'in progress');
seen('GET /v1/batches', { object => 'list', data => [ openai('in_progress',
	request_counts => { total => 9, completed => 1, failed => 0 }) ],
	has_more => $false }, 'batch_1 UPDATED', 'a list');
seen('POST /v1/batches/batch_1/cancel', openai('cancelling', request_counts =>
	{ total => 9, completed => 1, failed => 0 }), '', 'being cancelled');
seen('GET /v1/batches/batch_1', openai('cancelled'), 'batch_1 FINISHED',
	'cancelled');
seen('POST /v1/responses', { id => 'resp_0', background => $false, status =>
	'completed' }, '', 'an answer at once');
seen('POST /v1/responses', "data: {}\n\n", '', 'a stream', answer => {
	'Content-Type' => 'text/event-stream' });
seen('POST /v1/responses', { id => 'resp_1', background => $true, status =>
	'queued', output => [] }, 'resp_1 LAUNCHED', 'in the background');

$name = 'replicate';

sub prediction {
	my ($status, %o) = @_;

	return { id => 'ufawqhfynn', model => 'a/b', version => 'v', input => {},
		logs => '', output => undef, error => undef, status => $status, urls =>
		{ get => 'https://h', web => 'https://w' }, %o };
}

seen('POST /v1/models/a/b/predictions', prediction('starting'),
	'ufawqhfynn LAUNCHED', 'created', status => 201);
is($new[0]{execution}{url}, 'https://w', 'replicate - a link');
seen('GET /v1/predictions/ufawqhfynn', prediction('processing'),
	'ufawqhfynn STARTED', 'processing');
seen('GET /v1/predictions/ufawqhfynn', prediction('processing', logs => '1%'),
	'ufawqhfynn UPDATED', 'it logs');
seen('POST /v1/predictions/ufawqhfynn/cancel', prediction('canceled'),
	'ufawqhfynn FINISHED', 'canceled');
seen('POST /v1/predictions', prediction('succeeded', id => 'p2'),
	'p2 LAUNCHED p2 STARTED p2 FINISHED', 'waited for', status => 201,
	headers => [ Prefer => 'wait' ]);

$name = 'google';

my $operation = 'projects/p/locations/l/operations/o-1';

sub operation {
	my (%o) = @_;

	return { name => $operation, metadata => { '@type' => 'type.googleapis.com/x',
		target => 'projects/p/locations/l/jobs/j' }, %o };
}

seen('POST /v1/projects/p/locations/l/jobs/j:run', operation(),
	"$operation LAUNCHED $operation STARTED", 'run');
seen("GET /v1/$operation", operation(), '', 'not done');
seen("POST /v1/$operation:cancel", {}, '', 'being canceled');
seen("GET /v1/$operation", operation(done => $true, error => { code => 1,
	message => 'x' }), "$operation FINISHED", 'done');
is($new[0]{execution}{error}{code}, 1, 'google - how it ended');

$name = 'azure';

my $vm = '/subscriptions/s/resourceGroups/g/providers/x/vms/v';

seen("POST $vm/start?api-version=1", '', 'a-1 LAUNCHED', 'accepted', status =>
	202, answer => { 'Retry-After' => 10, Location =>
	'https://h/subscriptions/s/providers/x/operationResults/a-1?api-version=1' });
is_deeply($new[0]{execution}, { id => 'a-1' }, 'azure - all that is known');
seen('GET /subscriptions/s/providers/x/operationResults/a-1', '', 'a-1 STARTED',
	'not yet', status => 202, answer => { 'Retry-After' => 10 });
seen('GET /subscriptions/s/providers/x/operationResults/a-1', '', '',
	'nor now', status => 202, answer => { 'Retry-After' => 10 });
seen('GET /subscriptions/s/providers/x/operationResults/a-1', { id => $vm },
	'a-1 FINISHED', 'its result');
is($new[0]{execution}{id}, 'a-1', 'azure - one id');
seen("PUT $vm", { id => $vm, properties => { provisioningState => 'Creating' } },
	'a-2 LAUNCHED', 'created', status => 201, answer => {
	'Azure-AsyncOperation' => 'https://h/subscriptions/s/operations/a-2?v=1' });
seen('GET /subscriptions/s/operations/a-2', { name => 'a-2', status =>
	'InProgress' }, 'a-2 STARTED', 'in progress');
seen('GET /subscriptions/s/operations/a-2', { name => 'a-2', status =>
	'Succeeded' }, 'a-2 FINISHED', 'succeeded');

$name = 'see-other';

seen('POST /jobs', '', 'q-1 LAUNCHED', 'accepted', status => 202, answer => {
	'Content-Location' => '/queue/q-1', Location => '/queue/q-1' });
seen('GET /queue/q-1', { status => 'pending' }, 'q-1 STARTED', 'not yet');
seen('GET /queue/q-1', '', 'q-1 FINISHED', 'its result is there',
	status => 303, answer => { Location => '/results/1' });
is($new[0]{execution}{url}, '/results/1', 'see-other - where');

$name = 'aws';

sub codebuild {
	my ($phase, $status, %o) = @_;

	return '{"id":"web:u-1","arn":"arn:aws:codebuild:x","buildStatus":"'
		. $status . '","currentPhase":"' . $phase . '","startTime":'
		. '1.764331189809E9,"buildComplete":'
		. ($o{complete} ? 'true' : 'false') . ',"environment":'
		. '{"environmentVariables":[{"name":"K","value":"x"}]}}';
}

sub target { (headers => [ 'X-Amz-Target' => "CodeBuild_20161006.$_[0]" ]) }

my @amz = (answer => { 'Content-Type' => 'application/x-amz-json-1.1' });

seen('POST /', '{"build":' . codebuild('QUEUED', 'IN_PROGRESS') . '}',
	'web:u-1 LAUNCHED', 'a build', target('StartBuild'), @amz);
is($new[0]{execution}{startTime}, 1764331189.809, 'aws - a date');
seen('POST /', '{"builds":[' . codebuild('PROVISIONING', 'IN_PROGRESS')
	. '],"buildsNotFound":[]}', 'web:u-1 STARTED', 'provisioning',
	target('BatchGetBuilds'), @amz);
seen('POST /', '{"build":' . codebuild('BUILD', 'STOPPED', complete => 1) . '}',
	'web:u-1 FINISHED', 'stopped', target('StopBuild'), @amz);
seen('POST /', '{"__type":"AccountLimitExceededException"}', '', 'an error',
	status => 400, target('StartBuild'), @amz);
seen('POST /v1/submitjob', { jobName => 'j', jobId => 'b-1' }, 'b-1 LAUNCHED',
	'a job');
seen('POST /v1/describejobs', { jobs => [ { jobId => 'b-1', status => 'RUNNABLE',
	createdAt => 1764331189809 } ] }, '', 'runnable', body =>
	'{"jobs":["b-1"]}');
seen('POST /v1/listjobs', { jobSummaryList => [ { jobId => 'b-1', status =>
	'FAILED' }, { jobId => 'b-0', status => 'SUCCEEDED' } ] },
	'b-1 STARTED b-1 FINISHED', 'a list');

$name = 'terraform';

sub terraform {
	my ($status) = @_;

	return { data => { id => 'run-1', type => 'runs', attributes => { status =>
		$status, 'status-timestamps' => {}, actions => {
		'is-cancelable' => $true } }, relationships => { workspace => { data =>
		{ id => 'ws-1', type => 'workspaces' } } } } };
}

my @json_api = (answer => { 'Content-Type' => 'application/vnd.api+json' });

seen('POST /api/v2/runs', terraform('pending'), 'run-1 LAUNCHED', 'created',
	status => 201, @json_api);
is($new[0]{goal}{id}, 'ws-1', 'terraform - workspace');
seen('GET /api/v2/runs/run-1', terraform('planning'), 'run-1 STARTED',
	'planning', @json_api);
seen('GET /api/v2/runs/run-1', terraform('planned'), 'run-1 UPDATED',
	'planned', @json_api);
seen('GET /api/v2/workspaces/ws-1/runs', { data => [ terraform('applied')
	->{data} ], meta => { pagination => {} } }, 'run-1 FINISHED', 'applied',
	@json_api);

$name = 'elasticsearch';

my $task = 'oTUltX4IQMOUUVeiohTt8A:124';

sub task {
	my ($completed, $updated) = @_;

	return { completed => $completed, task => { node =>
		'oTUltX4IQMOUUVeiohTt8A', id => 124, action => 'indices:data/write/reindex',
		status => { total => 9, updated => $updated } } };
}

seen('POST /_reindex?wait_for_completion=false', { task => $task },
	"$task LAUNCHED", 'a task');
seen('POST /_reindex', { took => 5, timed_out => $false, total => 1 }, '',
	'waited for');
seen("GET /_tasks/$task", task($false, 1), "$task STARTED", 'not completed');
seen("GET /_tasks/$task", task($false, 5), "$task UPDATED", 'goes on');
seen("GET /_tasks/$task", task($true, 9), "$task FINISHED", 'completed');

$name = 'k6';

seen('POST /loadtests/v2/tests/1/start-testrun', { 'k6-run' => { id => 77,
	test_id => 1, run_status => -2 } }, '77 LAUNCHED', 'created');
seen('GET /loadtests/v2/runs/77', { 'k6-run' => { id => 77, run_status => 0 } },
	'', 'queued');
seen('GET /loadtests/v2/runs/77', { 'k6-run' => { id => 77, run_status => 2 } },
	'77 STARTED', 'runs');
seen('GET /loadtests/v2/runs', { 'k6-runs' => [ { id => 77, run_status => 3 } ]
	}, '77 FINISHED', 'finished');

$name = 'bitbucket';

my $uuid = '{a1b2}';

sub bitbucket {
	my ($state, $stage) = @_;

	return { uuid => $uuid, build_number => 1, target => { ref_name => 'main' },
		creator => { uuid => '{c}', display_name => 'A' }, state => { name =>
		$state, ($stage ? (stage => { name => $stage }) : ()) } };
}

seen('POST /2.0/repositories/w/r/pipelines/', bitbucket('PENDING'),
	"$uuid LAUNCHED", 'run', status => 201);
seen('GET /2.0/repositories/w/r/pipelines/%7Ba1b2%7D', bitbucket('IN_PROGRESS',
	'RUNNING'), "$uuid STARTED", 'runs');
seen('GET /2.0/repositories/w/r/pipelines/', { pagelen => 1, values =>
	[ bitbucket('COMPLETED') ] }, "$uuid FINISHED", 'completed');

$name = 'docker';

sub container {
	my ($status, $started, $finished) = @_;

	return { Id => 'c0ffee', Name => '/web', State => { Status => $status,
		StartedAt => $started, FinishedAt => $finished, ExitCode => 0 },
		Config => { Image => 'alpine', Env => [ 'K=x' ] } };
}

my $never = '0001-01-01T00:00:00Z';
my @at = map { "2026-11-28T12:0$_:00.123456789Z" } 0 .. 9;

seen('POST /v1.43/containers/create?name=web', { Id => 'c0ffee', Warnings =>
	[] }, 'c0ffee LAUNCHED', 'created', status => 201);
seen('GET /v1.43/containers/web/json', container('created', $never, $never),
	'', 'not yet started');
seen('GET /v1.43/containers/c0f/json', container('running', $at[0], $never),
	'c0ffee STARTED', 'runs');
is($new[0]{goal}{name}, 'alpine', 'docker - image');
seen('GET /containers/web/json', container('exited', $at[0], $at[1]),
	'c0ffee FINISHED', 'exited');
seen('GET /containers/web/json', container('running', $at[2], $at[1]),
	'c0ffee LAUNCHED c0ffee STARTED', 'started again');

$name = 'drone';

seen('POST /api/repos/o/r/builds', { id => 100, number => 42, status =>
	'pending', started => 0, finished => 0, source => 'main' }, '100 LAUNCHED',
	'created');
seen('GET /api/repos/o/r/builds', [ { id => 100, number => 42, status =>
	'running', started => 1764331189, finished => 0 } ], '100 STARTED', 'runs');
seen('GET /api/repos/o/r/builds/42', { id => 100, number => 42, status =>
	'killed', started => 1764331189, finished => 1764331199 }, '100 FINISHED',
	'killed');

$name = 'snowflake';

sub statement {
	return { code => $_[0], statementHandle => '019c', message => 'x',
		statementStatusUrl => '/api/v2/statements/019c', data => [] };
}

seen('POST /api/v2/statements?async=true', statement('333334'),
	'019c LAUNCHED 019c STARTED', 'accepted', status => 202);
seen('GET /api/v2/statements/019c', statement('333334'), '', 'runs',
	status => 202);
seen('GET /api/v2/statements/019c', statement('000904'), '019c FINISHED',
	'failed', status => 422);

$name = 'trino';

sub query {
	my ($state, %o) = @_;

	return { id => '20261128_1', infoUri => 'http://h/ui/q', nextUri =>
		'http://h/v1/statement/executing/20261128_1/y1/1', stats => { state =>
		$state, %o }, data => [ [ 1 ] ] };
}

seen('POST /v1/statement', query('QUEUED'), '20261128_1 LAUNCHED', 'posted');
seen('GET /v1/statement/queued/20261128_1/y1/1', query('QUEUED'), '', 'queued');
seen('GET /v1/statement/executing/20261128_1/y1/0', query('RUNNING',
	progressPercentage => 1.5), '20261128_1 STARTED', 'runs');
seen('GET /v1/statement/executing/20261128_1/y2/1', query('RUNNING',
	progressPercentage => 50), '20261128_1 UPDATED', 'goes on');
seen('GET /v1/statement/executing/20261128_1/y3/2', query('FAILED',
	progressPercentage => 50), '20261128_1 FINISHED', 'failed');

$name = 'openqa';

seen('POST /api/v1/isos', { count => 2, failed => [], ids => [ 1, 2 ],
	scheduled_product_id => 9 }, '1 LAUNCHED 2 LAUNCHED', 'two of one launch');
seen('GET /api/v1/jobs/1', { job => { id => 1, state => 'uploading', result =>
	'none', test => 'kde', settings => {} } }, '1 STARTED', 'one runs');
seen('GET /api/v1/jobs?ids=1,2', { jobs => [ { id => 1, state => 'done', result
	=> 'failed' }, { id => 2, state => 'scheduled', result => 'none' } ] },
	'1 FINISHED', 'it ends');

$name = 'zap';

seen('GET /JSON/ascan/action/scan/?url=http%3A%2F%2Fx', { scan => '0' },
	'0 LAUNCHED', 'launched');
seen('GET /JSON/ascan/view/status/?scanId=0', { status => '0' }, '0 STARTED',
	'at 0');
seen('GET /JSON/ascan/view/status/?scanId=0', { status => '37' }, '0 UPDATED',
	'at 37');
seen('GET /JSON/ascan/view/status/?scanId=0', { status => '100' },
	'0 FINISHED', 'at 100');

$name = 'scrapyd';

seen('POST /schedule.json', { status => 'error', message => 'x' }, '',
	'an error that is none');
seen('POST /schedule.json', { status => 'ok', node_name => 'n', jobid => '6487'
	}, '6487 LAUNCHED', 'scheduled');
seen('GET /listjobs.json?project=p', { status => 'ok', pending => [ { id => 'x'
	} ], running => [ { id => '6487', spider => 's', start_time =>
	'2026-11-28 12:00:00.1' } ], finished => [] },
	'x LAUNCHED 6487 STARTED', 'one waits, one runs');
seen('GET /listjobs.json?project=p', { status => 'ok', pending => [], running =>
	[], finished => [ { id => '6487', spider => 's', start_time =>
	'2026-11-28 12:00:00.1', end_time => '2026-11-28 12:01:00.1' } ] },
	'6487 FINISHED', 'finished');

$name = 'flower';

seen('POST /api/task/async-apply/tasks.add', { 'task-id' => 'f-1', state =>
	'PENDING' }, 'f-1 LAUNCHED', 'applied');
seen('GET /api/tasks?limit=2', { 'f-1' => { uuid => 'f-1', state => 'STARTED',
	name => 'tasks.add', received => 1764331189.12, started => undef } },
	'f-1 STARTED', 'an object of tasks');
seen('GET /api/task/result/f-1', { 'task-id' => 'f-1', state => 'SUCCESS',
	result => 7 }, 'f-1 FINISHED', 'its result');

$name = 'yarn';

my $app = 'application_1476912658570_0002';

seen('GET /ws/v1/cluster/apps', { apps => undef }, '', 'none');
seen('GET /ws/v1/cluster/apps', { apps => { app => [ { id => $app, state =>
	'ACCEPTED', finalStatus => 'UNDEFINED', progress => 0 } ] } },
	"$app LAUNCHED", 'accepted');
seen("GET /ws/v1/cluster/apps/$app/state", { state => 'RUNNING' },
	"$app STARTED", 'its state');
seen("PUT /ws/v1/cluster/apps/$app/state", { state => 'ACCEPTED' }, '',
	'being killed', status => 202);
seen("GET /ws/v1/cluster/apps/$app", { app => { id => $app, state => 'KILLED',
	finalStatus => 'KILLED', finishedTime => 1764331189809 } },
	"$app FINISHED", 'killed');

$name = 'uipath';

my $start = '/odata/Jobs/UiPath.Server.Configuration.OData.StartJobs';

seen("POST $start", { '@odata.context' => 'x', value => [ map { { Id => $_,
	Key => "k-$_", State => 'Pending' } } 1, 2 ] }, '1 LAUNCHED 2 LAUNCHED',
	'two robots', status => 201);
seen('GET /odata/Jobs(1)', { '@odata.context' => 'x', Id => 1, State =>
	'Running' }, '1 STARTED', 'one runs');
seen('GET /odata/Jobs?$filter=x', { '@odata.count' => 2, value => [ { Id => 1,
	State => 'Stopped' }, { Id => 2, State => 'Running' } ] },
	'1 FINISHED 2 STARTED', 'a list');

$name = 'kubeflow';

sub pipeline_run {
	return { run_id => 'k-1', display_name => 'train', state => $_[0],
		finished_at => $_[1] || '1970-01-01T00:00:00Z' };
}

seen('POST /apis/v2beta1/runs', pipeline_run('RUNTIME_STATE_UNSPECIFIED'),
	'k-1 LAUNCHED', 'created');
seen('GET /apis/v2beta1/runs/k-1', pipeline_run('RUNNING'), 'k-1 STARTED',
	'runs');
seen('GET /apis/v2beta1/runs/k-1', pipeline_run('FAILED', $at[0]),
	'k-1 FINISHED', 'failed');
seen('POST /apis/v2beta1/runs/k-1:retry', {}, 'k-1 LAUNCHED', 'retried');
seen('GET /apis/v2beta1/runs/k-1', pipeline_run('FAILED', $at[0]), '',
	'shown as it was');
seen('GET /apis/v2beta1/runs/k-1', pipeline_run('RUNNING'), 'k-1 STARTED',
	'runs again');
seen('GET /apis/v2beta1/runs', { runs => [ pipeline_run('SUCCEEDED', $at[3]) ] },
	'k-1 FINISHED', 'succeeded');

$name = 'comfyui';

sub prompt {
	my ($id) = @_;

	return '[7,"' . $id . '",{"3":{"seed":18446744073709551615}},{},["9"]]';
}

seen('POST /prompt', { prompt_id => 'c-1', number => 7, node_errors => {} },
	'c-1 LAUNCHED', 'posted');
seen('GET /queue', '{"queue_running":[' . prompt('c-1') . '],"queue_pending":['
	. prompt('c-2') . ']}', 'c-1 STARTED c-2 LAUNCHED', 'a queue');
seen('GET /history/c-1', '{"c-1":{"prompt":' . prompt('c-1') . ',"outputs":{},'
	. '"status":{"status_str":"error","completed":false,"messages":[]}}}',
	'c-1 FINISHED', 'its history');
like(($hook->requests)[-1]->body, qr/"seed":18446744073709551615\}/,
	'comfyui - a seed');

$name = 'hetzner';

sub action {
	my ($id, $status, $progress) = @_;

	return { id => $id, command => 'create_server', status => $status,
		progress => $progress, finished => undef, error => undef };
}

seen('POST /v1/servers', { server => { id => 42, status => 'initializing' },
	action => action(1, 'running', 0), next_actions => [ map { action($_,
	'running', 0) } 2, 3 ], root_password => 'x' }, join(' ', map {
	"$_ LAUNCHED $_ STARTED" } 1 .. 3), 'three of one launch', status => 201);
seen('GET /v1/actions/1', { action => action(1, 'running', 50) }, '1 UPDATED',
	'goes on');
seen('POST /v1/volumes', { volume => { id => 7 }, action => undef, next_actions
	=> [ action(4, 'running', 0) ] }, '4 LAUNCHED 4 STARTED', 'the later alone',
	status => 201);
seen('DELETE /v1/servers/42', { action => action(5, 'success', 100),
	next_actions => [] }, '5 LAUNCHED 5 STARTED 5 FINISHED', 'the first alone');
seen('GET /v1/actions?id=1&id=2', { actions => [ action(1, 'error', 100),
	action(2, 'success', 100) ], meta => {} }, '1 FINISHED 2 FINISHED', 'a list');

$name = 'oozie';

my $flow = '0000001-261128120000000-oozie-W';

sub oozie {
	my ($status, $ended) = @_;

	return { id => $flow, appName => 'etl', user => 'a', status => $status,
		run => 0, startTime => 'Sat, 28 Nov 2026 12:00:00 GMT', endTime =>
		$ended && "Sat, 28 Nov 2026 $ended GMT", conf => '<x/>' };
}

seen('POST /oozie/v1/jobs?action=start', { id => $flow }, "$flow LAUNCHED",
	'submitted', status => 201);
seen("GET /oozie/v1/job/$flow?show=info", oozie('RUNNING'), "$flow STARTED",
	'runs');
seen("GET /oozie/v1/job/$flow?show=log", 'a log', '', 'its log');
seen("PUT /oozie/v1/job/$flow?action=kill", '', '', 'being killed');
seen('GET /oozie/v1/jobs?len=1', { total => 1, workflows => [ oozie('KILLED',
	'12:01:00') ] }, "$flow FINISHED", 'killed');
seen("PUT /oozie/v1/job/$flow?action=rerun", '', "$flow LAUNCHED", 'again');
seen("GET /oozie/v1/job/$flow", oozie('KILLED', '12:01:00'), '',
	'shown as it was');
seen("GET /oozie/v1/job/$flow", oozie('SUCCEEDED', '12:09:00'),
	"$flow STARTED $flow FINISHED", 'succeeded');

$name = 'windmill';

my @plain = (status => 201, answer => { 'Content-Type' => 'text/plain' });
my $wid = '018f2c5e-8b1d-7a3c-9d52-6f0e3a1b2c4d';

seen('POST /api/w/w/jobs/run/f/etl', $wid, "$wid LAUNCHED", 'run', @plain);
is_deeply($new[0]{execution}, { id => $wid }, 'windmill - all that is known');
seen('POST /api/w/w/jobs/run/f/etl', "\n $wid-\r\n", '', 'no id', @plain);
seen('POST /api/w/w/jobs/run/f/etl', "$wid\n$wid", '', 'two lines', @plain);
seen('POST /api/w/w/jobs/run/f/etl', "\xe9", '', 'no UTF-8', @plain);
seen('POST /api/w/w/jobs/run/f/etl', '', '', 'nothing', @plain);
seen("GET /api/w/w/jobs_u/get/$wid", { id => $wid, type => 'QueuedJob',
	running => $false }, '', 'queued');
seen('GET /api/w/w/jobs/list', [ { id => $wid, type => 'QueuedJob', running =>
	$true, script_path => 'f/etl', created_by => 'a' } ], "$wid STARTED", 'runs');
seen("GET /api/w/w/jobs_u/$wid/state", "Done\r\n", "$wid FINISHED",
	'a bare word', gzip => 1);

$name = 'appveyor';

sub appveyor {
	my ($status, @jobs) = @_;

	return { project => { projectId => 1, slug => 'shop' }, build => { buildId
		=> 23864, version => '1.0.3', status => $status, commitId => 'c1',
		jobs => [ map { { jobId => "j$_", name => '', status => $jobs[$_],
		passedTestsCount => $jobs[$_] eq 'running' ? $_ : 9 } } 0 .. $#jobs ] }
	};
}

seen('POST /api/builds', { buildId => 23864, jobs => [], status => 'queued' },
	'23864 LAUNCHED', 'launched');
seen('GET /api/projects/a/shop/build/1.0.3', appveyor('running', 'running',
	'queued'), '23864 STARTED j0 STARTED j1 LAUNCHED', 'with its jobs');
is_deeply([ @new[0, 1] ], [ { type => 'EXECUTION', event => 'STARTED', goal =>
	{ name => 'shop' }, snapshot => { id => 'c1' }, execution => { buildId =>
	23864, version => '1.0.3', status => 'running', commitId => 'c1', id =>
	23864 } }, { type => 'EXECUTION', event => 'STARTED', goal => { name =>
	'shop' }, execution => { jobId => 'j0', name => '', status => 'running',
	passedTestsCount => 0, id => 'j0' } } ], 'appveyor - a build, a job');
seen('GET /api/projects/a/shop', appveyor('running', 'success', 'running'),
	'j0 FINISHED j1 STARTED', 'one ends');
seen('GET /api/projects/a/shop', appveyor('failed', 'success', 'failed'),
	'23864 FINISHED j1 FINISHED', 'all end');

$name = 'aria2';

sub rpc { (body => qq([{"jsonrpc":"2.0","id":"1","method":"aria2.$_[0]"}])) }
sub gid { { id => '1', result => { gid => $_[0], status => $_[1],
	completedLength => $_[2] } } }

seen('POST /jsonrpc', { id => '1', result => '2089b0' }, '2089b0 LAUNCHED',
	'added', rpc('addUri'));
seen('POST /jsonrpc', gid('2089b0', 'active', '1'), '2089b0 STARTED', 'active',
	rpc('tellStatus'));
seen('POST /jsonrpc', { id => '1', result => [ gid('2089b0', 'active', '2')
	->{result} ] }, '2089b0 UPDATED', 'a list', rpc('tellActive'));
seen('POST /jsonrpc', { id => '1', error => { code => 1, message => 'x' } }, '',
	'an error that is none', rpc('tellStatus'));
seen('POST /jsonrpc', [ { id => '1', result => '7f' }, gid('2089b0', 'complete',
	'3'), { id => '3', error => { code => 1 } } ],
	'7f LAUNCHED 2089b0 FINISHED', 'several at once', rpc('addTorrent'));
seen('POST /jsonrpc', [ gid('7f', 'waiting', '0'), gid('7f', 'error', '0') ],
	'7f STARTED 7f FINISHED', 'twice', rpc('tellStatus'));

$name = 'fhir';

my $bulk = '/fhir/bulkstatus/a%2Fb';

seen('GET /fhir/$export?_type=Patient', '', 'a/b LAUNCHED', 'accepted', status
	=> 202, answer => { 'Content-Location' => "https://h$bulk" });
seen("GET $bulk", '', 'a/b STARTED', 'not yet', status => 202, answer => {
	'X-Progress' => '10%', 'Retry-After' => 1 });
seen("GET $bulk", '', 'a/b UPDATED', 'goes on', status => 202, answer => {
	'X-Progress' => '20%' });
seen("GET $bulk", 'slower', '', 'too often', status => 429);
seen("GET $bulk", { output => [] }, 'a/b FINISHED', 'complete');
seen("DELETE $bulk", '', '', 'deleted', status => 202);

$name = 'testrail';

sub test_run {
	return { id => 81, name => 'smoke', is_completed => $_[0], completed_on =>
		undef, passed_count => $_[1], failed_count => 0 };
}

seen('POST /index.php?/api/v2/add_run/1', test_run($false, 0),
	'81 LAUNCHED 81 STARTED', 'added');
seen('GET /index.php?/api/v2/get_runs/1&is_completed=0', { offset => 0, limit
	=> 250, size => 0, _links => { next => undef }, runs => [] }, '',
	'an empty list');
seen('GET /index.php?/api/v2/get_runs/1', [ test_run($false, 1) ], '81 UPDATED',
	'a bare one');
seen('GET /index.php?/api/v2/get_tests/81', { id => 81, is_completed => $true },
	'', 'something else');
seen('POST /index.php?/api/v2/close_run/81', test_run($true, 1), '81 FINISHED',
	'closed');

$name = 'odata2';

sub sap { { JobId => 'J1', Status => $_[0], StartTime => $_[1], __metadata => {}
	} }

seen('POST /sap/JobSet', { d => sap('S') }, 'J1 LAUNCHED', 'scheduled', status
	=> 201);
seen("GET /sap/JobSet('J1')", { d => sap('R', '/Date(1764331189809)/') },
	'J1 STARTED', 'runs');
seen('GET /sap/JobSet?$top=9', { d => { results => [ sap('F',
	'/Date(1764331189809+0000)/') ] } }, 'J1 FINISHED', 'finished');
seen("GET /sap/JobSet('J1')", { d => sap('R', '/Date(1764331190000)/') },
	'J1 LAUNCHED J1 STARTED', 'runs again');

$name = 'argocd';

sub application {
	my ($phase, $day) = @_;

	return { metadata => { uid => 'u1', name => 'shop' }, operation => {
		sync => {} }, status => { operationState => { phase => $phase,
		startedAt => "2026-11-${day}T10:00:00Z" } } };
}

my $shop = '/api/v1/applications/shop';

seen("GET $shop", application('Succeeded', 20), '', 'history');
seen("POST $shop/sync", application('Succeeded', 20), 'u1 LAUNCHED', 'a sync');
seen("GET $shop", application('Succeeded', 20), '', 'the one before still');
seen("GET $shop", application('Running', 21), 'u1 STARTED', 'runs');
seen('GET /api/v1/applications', { items => [ application('Failed', 21) ] },
	'u1 FINISHED', 'failed');
seen("GET $shop", application('Running', 22), 'u1 LAUNCHED u1 STARTED',
	'another one, of nobody');
seen("GET $shop", application('Succeeded', 22), 'u1 FINISHED', 'succeeded');
seen("POST $shop/sync", application('Succeeded', 22), 'u1 LAUNCHED', 'again');
seen("GET $shop", application('Succeeded', 23), 'u1 STARTED u1 FINISHED',
	'a short one');

$name = 'temporal';

sub temporal {
	return { execution => { workflowId => 'order', runId => $_[0] }, type => {
		name => 'Order' }, status => "WORKFLOW_EXECUTION_STATUS_$_[1]" };
}

my $order = '/api/v1/namespaces/default/workflows/order';

seen("POST $order", { runId => 'r1', started => $true }, 'order r1 LAUNCHED',
	'started');
seen("POST $order", { runId => 'r0', started => $false }, '', 'runs already');
seen("GET $order", { workflowExecutionInfo => temporal('r1', 'RUNNING') },
	'order r1 STARTED', 'runs');
seen('GET /api/v1/namespaces/default/workflows?query=x', { executions => [
	temporal('r2', 'RUNNING'), temporal('r1', 'CONTINUED_AS_NEW') ] },
	'order r2 STARTED order r1 FINISHED', 'goes on as another one');

$name = 'proxmox';

my $upid = 'UPID:pve:0001:1A:5F:qmstart:100:root@pam:';
my $node = '/api2/json/nodes/pve';

seen("POST $node/qemu/100/status/start", { data => $upid }, "$upid LAUNCHED",
	'launched');
seen("POST $node/qemu/100/config", { data => undef }, '', 'no task');
seen("POST $node/qemu/100/agent", { data => { result => 1 } }, '', 'a result');
seen('GET /api2/json/cluster/tasks', { data => [ { upid => $upid, starttime
	=> 1764331189 } ] }, "$upid STARTED", 'a list');
seen("GET $node/tasks/UPID%3Apve%3A0001%3A1A%3A5F%3Aqmstart%3A100%3Aroot%40pam"
	. '%3A/status', { data => { upid => $upid, status => 'stopped', exitstatus
	=> 'OK' } }, "$upid FINISHED", 'stopped');

$name = 'gocd';

sub stages {
	return { name => 'shop', counter => 5, stages => [ map { { name => $_->[0],
		counter => $_->[1], status => $_->[2], scheduled => $_->[2] ? $true
		: $false, jobs => [] } } @_ ] };
}

seen('GET /go/api/pipelines/shop/5', stages([ 'build', '1', 'Building' ],
	[ 'test', '1', '' ]), 'shop/5/build/1 STARTED', 'builds');
seen('GET /go/api/pipelines/shop/5', stages([ 'build', '1', 'Failed' ],
	[ 'test', '1', '' ]), 'shop/5/build/1 FINISHED', 'failed');
seen('GET /go/api/pipelines/shop/history', { pipelines => [ stages([ 'build',
	'2', 'Passed' ], [ 'test', '1', 'Unknown' ]) ] },
	'shop/5/test/1 LAUNCHED', 'run again, and on');

$name = 'locust';

my $test = 'test on ' . lc hostname();

sub locust { { state => $_[0], user_count => $_[1], stats => [] } }

seen('POST /swarm', { success => $true }, "$test LAUNCHED", 'swarm');
seen('GET /stats/requests', locust('spawning', 1), "$test STARTED", 'spawns');
seen('GET /stats/requests', locust('running', 9), "$test UPDATED", 'runs');
seen('GET /stats/requests', locust('stopped', 0), "$test FINISHED", 'stopped');
seen('GET /stats/requests', locust('ready', 0), '', 'ready');
seen('POST /swarm', { success => $true }, "$test LAUNCHED", 'another one');

$name = 'by-status';

seen('POST /jobs', { id => 1, status => 'queued' }, '1 LAUNCHED 1 STARTED',
	'new', status => 201);
seen('POST /jobs', { id => 1, status => 'queued' }, '', 'the same');
seen('GET /jobs/1', 'no such job', '1 FINISHED', 'gone', status => 404);
seen('POST /jobs', { id => 1, status => 'done' }, '', 'and over');
seen('GET /jobs/2', { id => 2, status => 'running' }, '2 STARTED', 'another');

$name = 'buildbot';

sub build_request {
	my ($id, $claimed, $complete) = @_;

	return { buildrequests => [ { buildrequestid => $id, claimed => $claimed,
		complete => $complete, results => -1 } ], meta => {} };
}

sub request_build {
	my ($id, $complete, $results, $said) = @_;

	return { builds => [ { buildid => 77, buildrequestid => $id,
		complete => $complete, results => $results,
		state_string => $said } ], meta => {} };
}

seen('POST /api/v2/forceschedulers/force', { id => 1, jsonrpc => '2.0',
	result => [ 23, { 7 => 45 } ] }, '45 LAUNCHED', 'forced');
is_deeply([ @{ $new[0] }{qw/ execution goal /} ], [ { id => 45 },
	{ id => '7' } ], 'buildbot - the id of a request, and its builder');
seen('GET /api/v2/buildrequests/45', build_request(45, $false, $false), '',
	'waits');
seen('GET /api/v2/buildrequests/45', build_request(45, $true, $false),
	'45 STARTED', 'claimed');
seen('GET /api/v2/buildrequests/45/builds', request_build(45, $false, undef,
	'building'), '45 UPDATED', 'builds');
seen('POST /api/v2/builds/77', { id => 2, jsonrpc => '2.0', result => undef },
	'', 'being stopped');
seen('GET /api/v2/builds/77', request_build(45, $true, 5, 'retry'),
	'45 UPDATED', 'to be tried again');
seen('GET /api/v2/builds/78', request_build(45, $true, 6, 'cancelled'),
	'45 FINISHED', 'cancelled');
seen('POST /api/v2/builds/78', { id => 3, jsonrpc => '2.0',
	result => [ 24, { 7 => 46 } ] }, '46 LAUNCHED', 'rebuilt');

$name = 'conductor';

seen('POST /api/workflow/wf', '8a3b-1f', '8a3b-1f LAUNCHED', 'launched',
	answer => { 'Content-Type' => 'text/plain' });
seen('GET /api/workflow/8a3b-1f', { workflowId => '8a3b-1f', status =>
	'RUNNING', endTime => 0, tasks => [ { status => 'COMPLETED' } ] },
	'8a3b-1f STARTED', 'runs');
seen('GET /api/workflow/search?size=9', { totalHits => 2, results => [
	{ workflowId => '8a3b-1f', workflowType => 'wf', status => 'FAILED' },
	{ workflowId => '8a3b-00', workflowType => 'wf', status => 'COMPLETED' } ]
	}, '8a3b-1f FINISHED', 'found to have failed');
seen('POST /api/workflow/8a3b-1f/retry', '', '8a3b-1f LAUNCHED', 'retried',
	status => 204);
seen('DELETE /api/workflow/8a3b-1f', '', '8a3b-1f STARTED 8a3b-1f FINISHED',
	'terminated');
seen('POST /api/workflow/bulk/retry', { bulkErrorResults => { x => 'no' },
	bulkSuccessfulResults => [ '8a3b-1f' ] }, '8a3b-1f LAUNCHED',
	'retried with others');

$name = 'arangodb';

seen('POST /_db/d/_api/cursor', '', '14 LAUNCHED', 'stored', status => 202,
	headers => [ 'x-arango-async', 'store' ],
	answer => { 'x-arango-async-id' => '14' });
seen('POST /_db/d/_api/cursor', '', '', 'not stored', status => 202);
seen('PUT /_db/d/_api/job/14', '', '14 STARTED', 'pending', status => 204);
seen('GET /_db/d/_api/job/pending', [ '14', '15' ], '15 STARTED', 'a list');
seen('PUT /_db/d/_api/job/14', { error => $true }, '', 'no such job',
	status => 404);
seen('PUT /_db/d/_api/job/14', { error => $true }, '14 FINISHED',
	'its result is 404', status => 404,
	answer => { 'x-arango-async-id' => '14' });
seen('GET /_db/d/_api/job/done', [ '15', '9' ], '15 FINISHED', 'done');

$name = 'ghost-inspector';

sub test_result {
	my ($code, $passing, $started) = @_;

	return { code => $code, data => { _id => 'r1', test => { _id => 't' },
		passing => $passing, dateExecutionStarted => $started } };
}

seen('GET /v1/tests/t/execute/?immediate=1', test_result('ERROR'), '',
	'an error');
seen('GET /v1/tests/t/execute/?immediate=1', test_result('SUCCESS'),
	'r1 LAUNCHED', 'launched');
seen('GET /v1/results/r1/', test_result('SUCCESS', undef,
	'2026-11-28T12:00:00Z'), 'r1 STARTED', 'runs');
seen('GET /v1/results/r1/', test_result('SUCCESS', $false,
	'2026-11-28T12:00:00Z'), 'r1 FINISHED', 'failed');

$name = 'openeo';

seen('GET /jobs/o1', { id => 'o1', status => 'created' }, '', 'created');
seen('POST /jobs/o1/results', '', 'o1 LAUNCHED', 'started', status => 202);
seen('GET /jobs/o1', { id => 'o1', status => 'running', progress => 0 },
	'o1 STARTED', 'runs');
seen('GET /jobs/o1', { id => 'o1', status => 'running', progress => 75.5 },
	'o1 UPDATED', 'goes on');
seen('DELETE /jobs/o1/results', '', 'o1 FINISHED', 'cancelled', status => 204);
seen('GET /jobs', { jobs => [ { id => 'o1', status => 'created' }, { id => 'o2',
	status => 'created' } ] }, '', 'a list of what waits for nothing');
seen('POST /jobs/o1/results', '', 'o1 LAUNCHED', 'started again',
	status => 202);

$t->done();

###############################################################################
