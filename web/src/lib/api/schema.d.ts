// Made by `npm run api` from the API document of the server. Never edited.

export interface paths {
    "/api/alerts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows who is told when somebody must act, and what holds now of what they were told. */
        get: operations["show_alerts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/alerts/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sends a test to everybody who is told, and says how it went. */
        post: operations["test_alerts"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth_keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists all user keys, by name. */
        get: operations["list_user_keys"];
        put?: never;
        /** Makes a user key. Its secret is in this answer and never again. */
        post: operations["create_user_key"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth_keys/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows one user key. */
        get: operations["user_key"];
        /**
         * Changes a user key, at once and for every request that follows. One that is disabled ends its open
         *     Live sessions.
         */
        put: operations["update_user_key"];
        post?: never;
        /**
         * Deletes a user key, and ends its open Live sessions. Its log rows keep its name; a new key of the
         *     same name begins without them.
         */
        delete: operations["delete_user_key"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth_keys/{id}/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Gives a user key another secret, which is in this answer and never again. From then on the one
         *     before lets nobody in, and its open Live sessions end; name, note, expiry, counts and log stay.
         */
        post: operations["rotate_user_key"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Logs in: the password against a token. Other fields of the form, such as a user name, are
         *     ignored.
         */
        post: operations["login"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Logs out: the session of the token ends at once. */
        post: operations["logout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says who is logged in and until when. */
        get: operations["me"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sets another password. Every session ends; the answer begins a new one. */
        post: operations["change_password"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the sessions that are alive. */
        get: operations["list_sessions"];
        put?: never;
        post?: never;
        /** Ends all sessions but the one that asks. */
        delete: operations["end_other_sessions"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/auth/sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Ends a session at once; its streams end shortly after. */
        delete: operations["end_session"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/backup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Answers a backup, as of this moment: sealed under a passphrase and with everything that a restore
         *     needs, or the database alone. To use that one elsewhere, the file `secrets` of the data directory, or
         *     `ENCRYPTION_KEY` and `SECRET_KEY`, must go with it.
         */
        post: operations["download_backup"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Answers what happens as server-sent events, for pages that are open.
         * @description Each event has a name and one line of JSON: `ready` (`ReadyNews`) comes first; `pool`
         *     (`PoolNews`): keys or buckets stand otherwise; `trouble` (`TroubleNews`): many keys fail alike, or
         *     no longer do; `keys` (`KeysNews`): an admin has added, changed or removed keys; `job` (`Job`): how
         *     far a job is; `requests` (`RequestsNews`): requests have ended; `lagged` (`LaggedNews`): events
         *     were missed, so whatever is shown is to be read anew.
         */
        get: operations["watch_events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/imports": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Looks at the file of another gateway, whatever it is of what is known: a SQLite database, an SQL
         *     dump, a `.env`, an export, a list of keys. The body is the file itself, up to 64 MiB; what is
         *     larger goes by `gemini-balance import FILE`. Nothing is changed; it takes the place of what was
         *     sent before.
         */
        post: operations["look_at_import"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/imports/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Begins a job that takes over what was looked at: all of it in one transaction, or nothing. Each
         *     key has a result, in the order of the report.
         */
        post: operations["take_import"];
        /** Forgets what was looked at. */
        delete: operations["forget_import"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists jobs: those that are not over, and those that ended within the last hour. */
        get: operations["list_jobs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says how far a job is. */
        get: operations["job"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Calls a job off. What it has done stays done; a piece that has begun comes to its end. */
        post: operations["cancel_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs/{id}/results": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what became of each key or line, in the order in which that was found out. */
        get: operations["job_results"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs/{id}/undo": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Undoes what a job has done, by another job. Within ten minutes after its end, once: keys that it
         *     switched, tagged, added or deleted. Deleted keys come back as they were but for their buckets.
         */
        post: operations["undo_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists service keys. */
        get: operations["list_service_keys"];
        put?: never;
        /**
         * Adds service keys, all in one transaction. What is there already or is no key is left out and
         *     told.
         */
        post: operations["add_service_keys"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/keys/{key_identifier}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows one service key. */
        get: operations["service_key"];
        put?: never;
        post?: never;
        /** Deletes a service key with its secret. Requests that use it end undisturbed; its log rows stay. */
        delete: operations["delete_service_key"];
        options?: never;
        head?: never;
        /** Changes a service key. */
        patch: operations["update_service_key"];
        trace?: never;
    };
    "/api/keys/{key_identifier}/detail": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows a service key closely: its state, the upstream's last words, its models over 24 hours. */
        get: operations["service_key_detail"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/keys/{key_identifier}/reset": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Forgets everything that speaks against a service key and its project. A key that is switched
         *     off stays so.
         */
        post: operations["reset_service_key"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/keys/{key_identifier}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Tests a service key with a call that costs no quota. */
        post: operations["test_service_key"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/keys/bulk": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Does one thing to many service keys. */
        post: operations["change_service_keys"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/keys/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Shows service keys in full, to move them elsewhere. The log tells of it. */
        post: operations["export_service_keys"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/keys/import": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Begins a job that adds keys, or looks what adding them would do. Each line has a result. */
        post: operations["import_service_keys"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/keys/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Begins a job on service keys: test, reset, switch on or off, tag, delete. Watch it under
         *     `/api/jobs/{id}` or by the event `job`.
         */
        post: operations["begin_key_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/keys/reset": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Forgets everything that speaks against any service key. */
        post: operations["reset_service_keys"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/keys/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows all service keys in the shape of the Python version. */
        get: operations["service_key_statuses"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/keys/values": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Counts what service keys can be filtered by. Each list is counted under all the other conditions. */
        get: operations["count_service_key_values"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/live_sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the Live sessions that are open. */
        get: operations["list_live_sessions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/logs/sse": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Answers the live log as server-sent events: the kept lines, then each further one.
         * @description The event `lagged` says how many lines the watcher was too slow for, as `{"missed": 24}`.
         */
        get: operations["watch"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Describes all of `/api`. */
        get: operations["document"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/request_logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists attempts, newest first. */
        get: operations["list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/request_logs/{request_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Answers one request with all its attempts, in their order. */
        get: operations["one"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/request_logs/counts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Counts the values that filters can be made of, in a range of time. Only sums are read, so that
         *     it does not matter how many rows there are.
         */
        get: operations["count_log_values"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/request_logs/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Answers attempts as a file, newest first. */
        get: operations["export"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/request_logs/values": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what the log knows, to choose filters from. */
        get: operations["values"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/resources": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what upstreams keep, as far as it was made through the gateway. */
        get: operations["list_resources"];
        put?: never;
        post?: never;
        /** Deletes a resource where it lies, with a key that sees it. One that no key sees any more is forgotten. */
        delete: operations["delete_resource"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/settings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows the settings in force and where each was written, without any secret. */
        get: operations["settings"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Changes settings that may change while the gateway runs; all that are named, or none. They are in
         *     force at once and outlive a restart.
         */
        patch: operations["change_settings"];
        trace?: never;
    };
    "/api/settings/changes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Tells who has changed which settings. */
        get: operations["list_setting_changes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/setup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says what is there of what a first answer needs. */
        get: operations["setup"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/by_model": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what each model was used for, most attempts first. */
        get: operations["by_model"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/by_service_key": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what each service key was used for, most attempts first. */
        get: operations["by_service_key"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/by_user_key": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what each user key used, most attempts first. */
        get: operations["by_user_key"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/chart": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Answers the largest models, keys or kinds of errors as lines over time, and all others as one. */
        get: operations["stats_chart"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/daily_usage_chart": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Answers today's successful requests by service key and model. */
        get: operations["daily_usage_chart"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/daily_usage_heatmap": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Answers usage by day over the last 365 days: pairs of date and number, for days with any. */
        get: operations["daily_usage_heatmap"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/errors": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists how often each kind of error occurred, the most frequent first. */
        get: operations["errors"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/hourly-success-rate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Answers successes per attempt in percent, by hour of the day and model; `null` for an hour
         *     without attempts.
         */
        get: operations["hourly_success_rate"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/latencies": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists how long successful requests took in each period of a range of at most 100 days, of one
         *     model or of all.
         */
        get: operations["stats_latencies"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/now": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Answers what has happened in the last minutes, row by row, for at most 20,000 attempts. */
        get: operations["stats_now"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/overview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Answers everything in a range of time, with how long it took; that is not known of one key alone. */
        get: operations["overview"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/success-rate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Answers successes per attempt in percent, by day and model; `null` for a day without attempts. */
        get: operations["success_rate"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/timeline": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what was used in each quarter-hour, hour, day, week or month of a range, oldest first. */
        get: operations["timeline"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/usage_stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Answers usage by period and model. */
        get: operations["usage_stats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/week_hours": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what was used in each of the 168 hours of the week, over a range of time. */
        get: operations["week_hours"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/system": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows how the gateway is doing. */
        get: operations["system"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/version": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says which program and version is running. */
        get: operations["version"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description What became of the keys. */
        AddedKeys: {
            /** @description First and last characters of those that were added. */
            details: string[];
            /** @description The whole, in words. */
            message: string;
            /** @description What became of each line, in their order. */
            results: components["schemas"]["LineResult"][];
        };
        /**
         * @description What an alert is about.
         * @enum {string}
         */
        AlertKind: "few_keys_left" | "all_cooling" | "key_suspended" | "error_spike" | "disk_nearly_full" | "test";
        /** @description Somebody who is told. */
        AlertReceiver: {
            /** @description Where it is, without anything secret. */
            place: string;
            /** @description `webhook`, `telegram` or `mail`. */
            receiver: string;
        };
        /** @description Who is told, and what they were told. */
        AlertState: {
            /** @description What they were told and still holds. */
            holding: components["schemas"]["AlertKind"][];
            /** @description Who is told. */
            receivers: components["schemas"]["AlertReceiver"][];
        };
        /** @description How a test went. */
        AlertTest: {
            /** @description One entry for everybody who is told. */
            results: components["schemas"]["AlertTestResult"][];
        };
        /** @description How a test of one receiver went. */
        AlertTestResult: {
            /** @description Whether it took the message. */
            is_ok: boolean;
            /** @description Where it is, without anything secret. */
            place: string;
            /** @description Why not; empty if it did. */
            problem: string;
            /** @description `webhook`, `telegram` or `mail`. */
            receiver: string;
        };
        /** @description A session that is alive. */
        AliveSession: {
            /** @description When it ends by itself. */
            expires_at: components["schemas"]["Moment"];
            /** @description Names it; not what its bearer shows. */
            id: string;
            /** @description Whether it is the one that asks. */
            is_current: boolean;
            /** @description When it began. */
            logged_in_at: components["schemas"]["Moment"];
        };
        /** @description How much there was of something. */
        Amount: {
            /**
             * Format: int64
             * @description Tries with one key each.
             */
            attempts: number;
            /**
             * Format: int64
             * @description Requests: attempts that were the last of theirs.
             */
            requests: number;
            /**
             * Format: int64
             * @description Attempts that succeeded.
             */
            successes: number;
            /**
             * Format: int64
             * @description All tokens.
             */
            total_tokens: number;
        };
        /** @description The proof that it is still the admin who asks, and what the backup is sealed under. */
        BackupOrder: {
            /** @description Seals the backup, at least twelve characters; without it, it is the database alone. */
            passphrase?: string | null;
            /** @description The admin's password. */
            password: string;
        };
        /** @description How a key stands with one model. */
        Bucket: {
            /**
             * Format: int32
             * @description Upstream faults in a row.
             */
            failures: number;
            /**
             * Format: int32
             * @description How many rests came in a row.
             */
            level: number;
            /** @description The model. */
            model: string;
            /** @description `ready`, `cooling`, `exhausted_today`, `not_entitled`, `model_denied` or `proving`. */
            state: string;
            until?: components["schemas"]["Moment"] | null;
        };
        /** @description How a bucket stands. It belongs either to one key or to all keys of a project. */
        BucketNews: {
            /**
             * Format: int32
             * @description Upstream faults in a row.
             */
            failures: number;
            /** @description The key whose bucket it is. */
            key_identifier?: string | null;
            /**
             * Format: int32
             * @description How many rests came in a row.
             */
            level: number;
            /** @description The model. */
            model: string;
            /** @description The project whose bucket it is. */
            project?: string | null;
            /** @description `ready`, `cooling`, `exhausted_today`, `not_entitled`, `model_denied` or `proving`. */
            state: string;
            until?: components["schemas"]["Moment"] | null;
        };
        /**
         * @description What can be done to many keys.
         * @enum {string}
         */
        BulkAction: "reset" | "enable" | "disable" | "delete" | "test";
        /** @description What became of one key. */
        BulkKeyResult: {
            /** @description The key. */
            key_identifier: string;
            /** @description What became of it. */
            result: components["schemas"]["BulkResult"];
            test?: components["schemas"]["Tested"] | null;
        };
        /** @description What to do, and to which keys. */
        BulkOrder: {
            /** @description What to do. */
            action: components["schemas"]["BulkAction"];
            filter?: components["schemas"]["KeyFilter"] | null;
            /** @description The keys by name; or else `filter`. */
            key_identifiers?: string[] | null;
        };
        /** @description What became of the keys. */
        BulkOutcome: {
            /** @description For how many it was done. */
            done: number;
            /** @description For how many it was not. */
            failed: number;
            /** @description What became of each, in the order in which they were named. */
            results: components["schemas"]["BulkKeyResult"][];
        };
        /** @enum {string} */
        BulkResult: "done" | "failed" | "not_found" | "unreadable";
        /** @description Some lines over the same points in time. */
        Chart: {
            /** @description All that is in none of them; `None` if that is nothing. */
            others?: (components["schemas"]["Amount"] | null)[] | null;
            /** @description The periods, oldest first. */
            periods: components["schemas"]["ChartPeriod"][];
            /** @description The lines, the one with the most attempts first. */
            series: components["schemas"]["Series"][];
        };
        /** @description Rows of numbers under common labels. */
        ChartData_Option_f64: {
            /** @description The rows, in the order of their labels. */
            datasets: components["schemas"]["Dataset_Option"][];
            /** @description One label per number of each row. */
            labels: string[];
        };
        /** @description Rows of numbers under common labels. */
        ChartData_u64: {
            /** @description The rows, in the order of their labels. */
            datasets: components["schemas"]["Dataset_u64"][];
            /** @description One label per number of each row. */
            labels: string[];
        };
        /** @description A period of a chart. */
        ChartPeriod: {
            /** @description Its name, as in the timeline. */
            label: string;
            /**
             * Format: int64
             * @description When it begins, as far as it is in the range, in ms since the epoch.
             */
            start_ms: number;
        };
        /** @description What is stored. */
        Database: {
            /**
             * Format: int64
             * @description Size of the database file.
             */
            file_bytes: number;
            /**
             * Format: int64
             * @description The part of it that is free for use.
             */
            free_bytes: number;
            /**
             * Format: int64
             * @description Rows of the request log.
             */
            log_rows: number;
            newest_log_at?: components["schemas"]["Moment"] | null;
            oldest_log_at?: components["schemas"]["Moment"] | null;
            /**
             * Format: int64
             * @description Service keys.
             */
            service_keys: number;
            /**
             * Format: int64
             * @description User keys.
             */
            user_keys: number;
        };
        /** @description One row of a chart. */
        Dataset_Option: {
            /** @description Its numbers. */
            data: (null | number)[];
            /** @description What the row is about: a model. */
            label: string;
        };
        /** @description One row of a chart. */
        Dataset_u64: {
            /** @description Its numbers. */
            data: number[];
            /** @description What the row is about: a model. */
            label: string;
        };
        /** @description A sentence, or the list of what was not understood. */
        Detail: string | components["schemas"]["Problem"][];
        /** @description How many sessions were ended. */
        EndedSessions: {
            /** @description How many. */
            ended: number;
        };
        /** @description The body of every refusal. */
        ErrorBody: {
            /** @description What is wrong and what to do about it. */
            detail: components["schemas"]["Detail"];
            error: components["schemas"]["ErrorCode"];
            /** @description Names the call in the log. */
            request_id: string;
        };
        /** @description The part of a refusal for programs. */
        ErrorCode: {
            /** @description A stable word for the kind of error. */
            code: string;
        };
        /** @description How often one kind of error occurred. */
        ErrorCount: {
            /**
             * Format: int64
             * @description Attempts that ended with it.
             */
            attempts: number;
            /** @description The kind of error. */
            error_kind: string;
            /**
             * Format: int64
             * @description Requests that ended with it.
             */
            requests: number;
        };
        /** @description Service keys in full. */
        Exported: {
            /** @description The keys that could be decrypted. */
            keys: components["schemas"]["ExportedKey"][];
            /** @description Those that are not among them. */
            missing: components["schemas"]["MissingKey"][];
        };
        /** @description A service key in full. */
        ExportedKey: {
            /** @description The key itself. */
            api_key: string;
            /** @description Whether it is switched on. */
            enabled: boolean;
            /** @description Its name. */
            key_identifier: string;
            /** @description The admin's note. */
            note: string;
            /** @description The label of its project. */
            project: string;
            /** @description The admin's tags. */
            tags: string[];
            /**
             * Format: int64
             * @description Its tier.
             */
            tier: number;
        };
        /** @description Which keys, and the proof that it is still the admin who asks. */
        ExportOrder: {
            filter?: components["schemas"]["KeyFilter"] | null;
            /** @description The keys by name; or else `filter`. */
            key_identifiers?: string[] | null;
            /** @description The admin's password. */
            password: string;
        };
        /** @description How one part is. */
        Health: {
            /** @description What is wrong and what to do; empty if nothing is. */
            detail: string;
            /** @description Whether it does its work. */
            is_ok: boolean;
            /** @description The part. */
            part: string;
        };
        /** @description Lines to be added as keys, as a job. */
        ImportOrder: components["schemas"]["NewKeys"] & {
            /** @description Only looks what would become of each line, and adds nothing. */
            dry_run?: boolean;
        };
        /** @description A job. */
        Job: {
            /** @description What it does. */
            action: components["schemas"]["JobAction"];
            /** @description How many have which result. */
            counts: {
                [key: string]: number;
            };
            /** @description When it was asked for. */
            created_at: components["schemas"]["Moment"];
            ended_at?: components["schemas"]["Moment"] | null;
            /** @description Why it has failed, in words. */
            error?: string | null;
            /**
             * Format: int64
             * @description Those that have a result.
             */
            finished: number;
            /** @description Whether its results are still kept. */
            has_results: boolean;
            /** @description Names it. */
            id: string;
            /** @description How far it is. */
            stage: components["schemas"]["JobStage"];
            /**
             * Format: int64
             * @description Keys or lines that it is about.
             */
            total: number;
            undo_until?: components["schemas"]["Moment"] | null;
            /** @description The job that this one undoes. */
            undoes?: string | null;
            /** @description The job that undoes this one. */
            undone_by?: string | null;
        };
        /**
         * @description What a job does.
         * @enum {string}
         */
        JobAction: "test" | "reset" | "enable" | "disable" | "tag" | "delete" | "restore" | "import" | "try_import" | "move_in";
        /** @description The jobs that are known. */
        JobList: {
            /** @description The latest first; those that are over for up to an hour. */
            jobs: components["schemas"]["Job"][];
        };
        /**
         * @description What became of one key or line.
         * @enum {string}
         */
        JobOutcome: "done" | "unchanged" | "failed" | "not_found" | "unreadable" | "added" | "duplicate" | "invalid" | "too_many_tags";
        /** @description What became of one key or line. */
        JobResult: {
            /**
             * Format: int64
             * @description How long a test took.
             */
            duration_ms?: number | null;
            /** @description A stable word for what went wrong with a test. */
            error?: string | null;
            /** @description First and last characters of the key. */
            key_brief?: string | null;
            /** @description The key. */
            key_identifier?: string | null;
            /** @description Why, in words: of ours about a line, of the upstream about a key. */
            message?: string | null;
            /** @description What became of it. */
            outcome: components["schemas"]["JobOutcome"];
            /** @description Which one, counted from nought in the order of the list. */
            place: number;
            /**
             * Format: int32
             * @description The upstream's status in a test.
             */
            status?: number | null;
        };
        /** @description Some results of a job. */
        JobResults: {
            /** @description The results, in the order in which they came. */
            results: components["schemas"]["JobResult"][];
            /** @description How many there are on all pages. */
            total: number;
        };
        /**
         * @description How far a job is.
         * @enum {string}
         */
        JobStage: "waiting" | "running" | "done" | "cancelled" | "failed";
        /** @description The way of request log rows into the database. */
        JournalCounts: {
            /**
             * Format: int64
             * @description Rows that were lost since the start.
             */
            dropped: number;
            /**
             * Format: int64
             * @description Rows that wait to be written.
             */
            waiting: number;
        };
        /** @description What was done to one key. */
        KeyDone: {
            /** @description The key. */
            key_identifier: string;
            /** @description The fact in words. */
            message: string;
        };
        /** @description Keys that fulfil everything that is given; all of them, if nothing is. */
        KeyFilter: {
            /** @description Whether they are switched on. */
            enabled?: boolean | null;
            /** @description The project's label; empty for keys that are alone. */
            project?: string | null;
            /** @description A text within identifier, brief, note, project or a tag; case does not matter. */
            q?: string | null;
            state?: components["schemas"]["KeyStateFilter"] | null;
            /** @description One of the tags. */
            tag?: string | null;
            /**
             * Format: int32
             * @description The tier.
             */
            tier?: number | null;
        };
        /**
         * @description What a job does to keys.
         * @enum {string}
         */
        KeyJobAction: "test" | "reset" | "enable" | "disable" | "tag" | "delete";
        /** @description What to do to which keys, as a job. */
        KeyJobOrder: {
            /** @description What to do. */
            action: components["schemas"]["KeyJobAction"];
            /** @description For `tag`: tags that the keys get. */
            add_tags?: string[];
            filter?: components["schemas"]["KeyFilter"] | null;
            /** @description The keys by name; or else `filter`. */
            key_identifiers?: string[] | null;
            /**
             * @description For `test`: the model whose tokens the upstream shall count; if absent, it is asked for its
             *     models.
             */
            model?: string | null;
            /** @description For `tag`: tags that the keys lose. */
            remove_tags?: string[];
        };
        /** @description What a key was used for with one model in a day. */
        KeyModel: components["schemas"]["Usage"] & {
            /** @description What it was used for in each of 24 hours; `None` for one without any use. */
            hours: (components["schemas"]["Amount"] | null)[];
            /** @description The model. */
            model: string;
        };
        /** @description How many keys have a name. */
        KeyNameCount: {
            /** @description The keys. */
            count: number;
            /** @description The name. */
            name: string;
        };
        /** @description How many keys have each name. */
        KeyNames: {
            /** @description How many different ones there are. */
            distinct: number;
            /** @description The names, most frequent first; at most a thousand. */
            names: components["schemas"]["KeyNameCount"][];
        };
        /** @description How a service key stands. */
        KeyNews: {
            /** @description False if an admin has switched it off. */
            enabled: boolean;
            /** @description The key. */
            key_identifier: string;
            next_probe_at?: components["schemas"]["Moment"] | null;
            no_credit_until?: components["schemas"]["Moment"] | null;
            /** @description The upstream's words for why it may not serve. */
            reason: string;
            /** @description Since when its state holds. */
            since: components["schemas"]["Moment"];
            /** @description `active`, `invalid`, `suspended`, `no_credit` or `disabled`. */
            state: string;
        };
        /** @description What the upstream said of a key. */
        KeyRefusal: {
            /** @description When. */
            at: components["schemas"]["Moment"];
            /** @description The upstream's words, without secrets. */
            message: string;
            /** @description The model that was asked for. */
            model: string;
            /**
             * @description What followed from it: `cooling`, `rate_limited`, `exhausted_today`, `not_entitled`,
             *     `model_denied`, `no_credit`, `invalid`, `suspended`, `faulty`, `unreached`, or `nothing` for the
             *     key.
             */
            verdict: string;
        };
        /**
         * @description What an admin does to service keys.
         * @enum {string}
         */
        KeysChange: "added" | "changed" | "removed";
        /** @description What was done to all keys. */
        KeysDone: {
            /** @description Always empty. */
            details: string[];
            /** @description The fact in words. */
            message: string;
        };
        /** @description What an admin has done to service keys; the data of the event `keys`. */
        KeysNews: {
            /** @description What was done. */
            change: components["schemas"]["KeysChange"];
            /** @description To how many keys. */
            count: number;
            /** @description Which ones; empty if they are more than a hundred. */
            key_identifiers: string[];
        };
        /**
         * @description The state of a service key.
         * @enum {string}
         */
        KeyState: "active" | "invalid" | "suspended" | "no_credit" | "disabled" | "unreadable";
        /** @description How many keys are in a state. */
        KeyStateCount: {
            /** @description The keys. */
            count: number;
            /** @description The state. */
            state: components["schemas"]["KeyState"];
        };
        /**
         * @description How a key stands: one of its states, or something beside it.
         * @enum {string}
         */
        KeyStateFilter: "active" | "invalid" | "suspended" | "no_credit" | "disabled" | "unreadable" | "resting" | "in_use";
        /** @description One key. */
        KeyStatus: {
            /**
             * Format: int32
             * @description Rests in a row.
             */
            cool_down_entry_count: number;
            /**
             * Format: double
             * @description Until it is wholly back; nought if only an admin brings it back.
             */
            cool_down_seconds_remaining: number;
            /**
             * Format: int64
             * @description How long the last of them was meant to be.
             */
            current_cool_down_seconds: number;
            /**
             * Format: int32
             * @description Upstream faults in a row.
             */
            failure_count: number;
            /** @description First and last characters of the key. */
            key_brief: string;
            /** @description Names the key. */
            key_identifier: string;
            /** @description Its state. */
            status: components["schemas"]["KeyStatusWord"];
        };
        /** @description All keys and how many are in which state. */
        KeyStatuses: {
            /** @description Keys that are free. */
            available_keys_count: number;
            /** @description Keys that rest or may not serve. */
            cooled_down_keys_count: number;
            /** @description Keys that serve a request at this moment. */
            in_use_keys_count: number;
            /** @description The keys: first those that serve, and of them first those in use. */
            keys: components["schemas"]["KeyStatus"][];
            /** @description All keys. */
            total_keys_count: number;
        };
        /** @enum {string} */
        KeyStatusWord: "active" | "in_use" | "cooling_down";
        /** @description How many keys have a tier. */
        KeyTierCount: {
            /** @description The keys. */
            count: number;
            /**
             * Format: int64
             * @description The tier.
             */
            tier: number;
        };
        /** @description What is to become different; what is absent stays. */
        KeyUpdate: {
            /** @description Switches the key on or off. */
            enabled?: boolean | null;
            /** @description Another note. */
            note?: string | null;
            /** @description Another project; empty for none. */
            project?: string | null;
            /** @description Other tags. */
            tags?: string[] | null;
            /**
             * Format: int32
             * @description Another tier.
             */
            tier?: number | null;
        };
        /** @description What keys can be filtered by. */
        KeyValues: {
            /** @description Keys that are switched off. */
            disabled: number;
            /** @description Keys that are switched on. */
            enabled: number;
            /** @description Those that serve a request at this moment. */
            in_use: number;
            /** @description Keys of each project; the empty one is that of keys that are alone. */
            projects: components["schemas"]["KeyNames"];
            /** @description Of the active ones, those that rest for a model at least. */
            resting: number;
            /** @description Keys in each state, in the order of the list of keys. */
            states: components["schemas"]["KeyStateCount"][];
            /** @description Keys with each tag. */
            tags: components["schemas"]["KeyNames"];
            /** @description Keys of each tier, the one that serves first at the beginning. */
            tiers: components["schemas"]["KeyTierCount"][];
            /** @description Keys that meet everything that was given. */
            total: number;
        };
        /** @description What the log knows, to choose a filter from. Each list in the order of the alphabet. */
        KnownValues: {
            /** @description Protocols of callers. */
            dialects: string[];
            /** @description Kinds of errors that occurred. */
            error_kinds: string[];
            /** @description Models that were asked for. */
            models: string[];
            /** @description What was asked of models. */
            operations: string[];
            /** @description HTTP statuses that occurred. */
            statuses: number[];
        };
        /** @description Events were missed; the data of the event `lagged`. */
        LaggedNews: {
            /**
             * Format: int64
             * @description How many; `null` if that is not known.
             */
            missed?: number | null;
        };
        /** @description How long requests took in a period. */
        LatencyPoint: {
            /** @description Time to the first byte of successful requests, by the attempt that succeeded. */
            first_byte: components["schemas"]["Percentiles"];
            /** @description Its name, as in the timeline. */
            label: string;
            /** @description Time to the end of successful requests, by the attempt that succeeded. */
            latency: components["schemas"]["Percentiles"];
            /**
             * Format: int64
             * @description When it begins, as far as it is in the range, in ms since the epoch.
             */
            start_ms: number;
        };
        /** @description What became of one line. */
        LineResult: {
            /** @description Its first and last characters. */
            brief: string;
            /** @description Its name in the API. */
            key_identifier: string;
            /** @enum {string} */
            result: "added";
        } | {
            /** @description Its first and last characters. */
            brief: string;
            /** @description The name of the key that is there. */
            key_identifier: string;
            /** @enum {string} */
            result: "duplicate";
        } | {
            /** @description Why. */
            reason: string;
            /** @enum {string} */
            result: "invalid";
        };
        /** @description A Live session that is open. */
        LiveSession: {
            /**
             * Format: int64
             * @description Bytes that the caller has sent.
             */
            bytes_in: number;
            /**
             * Format: int64
             * @description Bytes that the upstream has sent.
             */
            bytes_out: number;
            /**
             * Format: int64
             * @description Frames of both sides.
             */
            frames: number;
            /**
             * @description First and last characters of the service key that serves it; `null` while one is looked for, or
             *     if it was deleted.
             */
            key_brief?: string | null;
            /** @description Names that key in paths; `null` as well. */
            key_identifier?: string | null;
            /** @description The model that its first message asks for; empty before that has come. */
            model: string;
            /** @description Names it in the logs. */
            request_id: string;
            /** @description When it was opened. */
            since: components["schemas"]["Moment"];
            /** @description That key's name; `null` if it was deleted. */
            user_key?: string | null;
            /**
             * Format: int64
             * @description The user key that has opened it.
             */
            user_key_id: number;
        };
        /** @description The Live sessions. */
        LiveSessionList: {
            /** @description How many may be. */
            max: number;
            /** @description How many are open. */
            open: number;
            /** @description Those that were opened last, the newest first. */
            sessions: components["schemas"]["LiveSession"][];
        };
        /** @description The admin's password. Other fields, above all a user name, are accepted and ignored. */
        LoginForm: {
            /** @description The admin's password. */
            password: string;
        };
        /** @description The values of the request log in a time range, each list most frequent first. */
        LogValueCounts: {
            /** @description Kinds of errors that occurred. */
            error_kinds: components["schemas"]["ErrorCount"][];
            /** @description Models that were asked for. */
            models: components["schemas"]["ModelCount"][];
            /** @description Service keys that were tried. */
            service_keys: components["schemas"]["ServiceKeyCount"][];
            /** @description User keys that asked. */
            user_keys: components["schemas"]["UserKeyCount"][];
        };
        /** @description Who is logged in. */
        Me: {
            /** @description When it ends by itself. */
            expires_at: components["schemas"]["Moment"];
            /** @description Whether the password is set by the configuration, and can only be changed there. */
            is_password_fixed: boolean;
            /** @description When the session began. */
            logged_in_at: components["schemas"]["Moment"];
            /** @description Always `admin`. */
            username: string;
        };
        /** @description A service key that cannot be exported. */
        MissingKey: {
            /** @description Its name. */
            key_identifier: string;
            /** @description Why: `not_found` or `unreadable`. */
            outcome: components["schemas"]["JobOutcome"];
        };
        /** @description How often a model was asked for. */
        ModelCount: components["schemas"]["Occurrences"] & {
            /** @description The model. */
            model: string;
        };
        /** @description What one model was used for. */
        ModelUsage: components["schemas"]["Usage"] & {
            /** @description Time to the first byte of successful requests. */
            first_byte: components["schemas"]["Percentiles"];
            /** @description Time to the end of successful requests. */
            latency: components["schemas"]["Percentiles"];
            /** @description The model. */
            model: string;
        };
        /** Format: date-time */
        Moment: string;
        /** @description How to take it over. */
        MoveInOrder: {
            /** @description Leaves the request log out. */
            without_log?: boolean;
        };
        /** @description What was sent, looked at and kept. */
        MovingIn: {
            /** @description Until when it can be taken over. */
            expires_at: components["schemas"]["Moment"];
            /** @description Names it. */
            id: string;
            /** @description What would become of it. */
            report: components["schemas"]["MovingInReport"];
        };
        /** @description A setting of elsewhere, and what does the same here. */
        MovingInHint: {
            /** @description What to write here, or why there is nothing to write. */
            advice: string;
            /** @description Its name there. */
            name: string;
        };
        /** @description What became of one key. */
        MovingInItem: {
            /** @description Its first and last characters. */
            brief?: string | null;
            /** @description What it is. */
            kind: components["schemas"]["MovingInKind"];
            /** @description Its name here: of a service key its identifier, of a user key its name. */
            name?: string | null;
            /** @description What became of it. */
            outcome: components["schemas"]["MovingInOutcome"];
            /** @description Where it stood, in words. */
            place: string;
            /** @description Why, or what else is to be known. */
            remark?: string | null;
        };
        /**
         * @description What a line is about.
         * @enum {string}
         */
        MovingInKind: "service_key" | "user_key";
        /**
         * @description What became of it.
         * @enum {string}
         */
        MovingInOutcome: "added" | "duplicate" | "invalid";
        /** @description The whole. */
        MovingInReport: {
            /** @description Which form of it that is, in words. */
            form: string;
            /** @description Its settings, and what does the same here. */
            hints: components["schemas"]["MovingInHint"][];
            /** @description Whether nothing was changed yet. */
            is_trial: boolean;
            /** @description What became of each key, in the order of the file. */
            items: components["schemas"]["MovingInItem"][];
            /**
             * Format: int64
             * @description Rows of its request log that an earlier import had taken over; unknown in a trial.
             */
            known_log_rows: number;
            /**
             * Format: int64
             * @description Rows of its request log that were taken over, or would be.
             */
            log_rows: number;
            /** @description What is to be known besides, a sentence each. */
            notes: string[];
            /** @description How many service keys. */
            service_keys: components["schemas"]["MovingInTally"];
            /** @description Where it comes from. */
            source: components["schemas"]["MovingInSource"];
            /** @description How many user keys. */
            user_keys: components["schemas"]["MovingInTally"];
        };
        /**
         * @description Where something comes from.
         * @enum {string}
         */
        MovingInSource: "predecessor" | "snailyp" | "gpt_load" | "gpt_load2" | "one_api" | "key_list";
        /** @description How many of one kind. */
        MovingInTally: {
            /** @description Taken over. */
            added: number;
            /** @description Here already. */
            duplicate: number;
            /** @description Not taken over. */
            invalid: number;
        };
        /** @description Keys to be added, and what they have in common. */
        NewKeys: {
            /** @description The keys. One entry may hold several, one on each line. */
            api_keys: string[];
            /** @description A note for the admin. */
            note?: string;
            /** @description The label of the project whose quota they share; if absent, each is alone. */
            project?: string;
            /** @description Words to find them by. */
            tags?: string[];
            /**
             * Format: int32
             * @description Keys of a lower tier serve first.
             */
            tier?: number;
        };
        /** @description A user key to be made. */
        NewUserKey: {
            /** @description Its name. */
            alias: string;
            /** @description From when on it no longer lets anybody in; never, if absent. */
            expires_at?: string | null;
            /** @description A note for the admin. */
            note?: string;
        };
        /** @description How often something occurs. */
        Occurrences: {
            /**
             * Format: int64
             * @description Tries with one key each.
             */
            attempts: number;
            /**
             * Format: int64
             * @description Requests: attempts that were the last of theirs.
             */
            requests: number;
            /**
             * Format: int64
             * @description Attempts that succeeded.
             */
            successes: number;
        };
        /** @description One request. */
        OneRequest: {
            /** @description Its attempts, in their order. */
            attempts: components["schemas"]["RequestLog"][];
            /** @description Names it, in 32 hexadecimal digits. */
            request_id: string;
        };
        /** @description Everything in a time range. */
        Overview: components["schemas"]["Usage"] & {
            /** @description Time to the first byte of successful requests, by the attempt that succeeded. */
            first_byte: components["schemas"]["Percentiles"];
            /** @description Time to the end of successful requests, by the attempt that succeeded. */
            latency: components["schemas"]["Percentiles"];
        };
        /** @description Another password. */
        PasswordChange: {
            /** @description The password so far. */
            current_password: string;
            /** @description The password from now on, at least eight characters. */
            new_password: string;
        };
        /** @description How long successful requests took. */
        Percentiles: {
            /**
             * Format: int32
             * @description Half took at most this long.
             */
            p50_ms?: number | null;
            /**
             * Format: int32
             * @description Nine of ten took at most this long.
             */
            p90_ms?: number | null;
            /**
             * Format: int32
             * @description All but one in twenty took at most this long.
             */
            p95_ms?: number | null;
            /**
             * Format: int32
             * @description All but one in a hundred took at most this long.
             */
            p99_ms?: number | null;
        };
        /** @description One period of a timeline. */
        Point: {
            /** @description `2026-11-22T13:00+05:30`, `2026-11-22`, `2026-46`, `2026-11`. */
            label: string;
            /**
             * Format: int64
             * @description When the period, as far as it is in the range, begins, in ms since the epoch.
             */
            start_ms: number;
            usage?: components["schemas"]["Usage"] | null;
        };
        /** @description What has changed in the pool; the data of the event `pool`. */
        PoolNews: {
            /** @description Buckets that have changed, as they stand. */
            buckets: components["schemas"]["BucketNews"][];
            /** @description More has changed than is told one by one: whoever shows keys reads them anew. */
            is_reload: boolean;
            /** @description Keys whose own state has changed, as they stand. */
            keys: components["schemas"]["KeyNews"][];
            /** @description Projects that lack credit, or no longer do. */
            projects: components["schemas"]["ProjectNews"][];
        };
        /** @description One mistake in a request. */
        Problem: {
            /**
             * @description What stood there. Of a body and of an unknown parameter never more than `null`: they may hold
             *     a secret.
             */
            input: unknown;
            /** @description Where it is: `body` or `query`, then names and indices. */
            loc: components["schemas"]["Step"][];
            /** @description What is wrong, in words. */
            msg: string;
            /** @description A word for the kind of mistake. */
            type: string;
        };
        /** @description How the credit of a project stands. */
        ProjectNews: {
            no_credit_until?: components["schemas"]["Moment"] | null;
            /** @description The project. */
            project: string;
        };
        /** @description The stream has begun; the data of the event `ready`. */
        ReadyNews: {
            /** @description Whether it goes on, without a gap, where it was asked to. */
            is_resumed: boolean;
        };
        /** @description What has happened in the last few minutes. */
        Recent: components["schemas"]["Usage"] & {
            /** @description Kinds of errors, the most frequent first. */
            errors: components["schemas"]["ErrorCount"][];
            /** @description Time to the first byte of successful requests, by the attempt that succeeded. */
            first_byte: components["schemas"]["Percentiles"];
            /** @description Time to the end of successful requests, by the attempt that succeeded. */
            latency: components["schemas"]["Percentiles"];
            /**
             * Format: double
             * @description Requests that ended, by the minute.
             */
            requests_per_minute: number;
            /**
             * Format: int64
             * @description The time that was looked at: shorter than asked for if very many attempts ended in it.
             */
            span_ms: number;
            /**
             * Format: double
             * @description Tokens, by the minute.
             */
            tokens_per_minute: number;
        };
        /**
         * @description What has become of a resource that was to be deleted.
         * @enum {string}
         */
        Removal: "deleted" | "was_gone" | "forgotten";
        /** @description One attempt. */
        RequestLog: {
            /**
             * Format: int32
             * @description The number of the attempt in its request, from 1 on.
             */
            attempt: number;
            /** @description The name of the user key, also when it is deleted. */
            auth_key_alias?: string | null;
            /**
             * Format: int64
             * @description Size of the question's body.
             */
            bytes_in: number;
            /**
             * Format: int64
             * @description Size of the answer's body.
             */
            bytes_out: number;
            /**
             * Format: int32
             * @description Tokens of the question that the upstream knew already.
             */
            cached_tokens?: number | null;
            /** @description What the caller's program says it is (`User-Agent`). */
            client?: string | null;
            /**
             * Format: int32
             * @description Tokens of the answer.
             */
            completion_tokens?: number | null;
            /** @description The caller's protocol. */
            dialect: string;
            /**
             * Format: int32
             * @description Time to the end.
             */
            duration_ms: number;
            /** @description What went wrong. */
            error_type?: string | null;
            /**
             * Format: int32
             * @description Time to the first byte of the answer.
             */
            first_byte_ms?: number | null;
            /**
             * Format: int64
             * @description Frames of a Live session, in both directions; nothing for all else.
             */
            frames?: number | null;
            /**
             * Format: int64
             * @description Names the row.
             */
            id: number;
            /** @description Whether this was the last attempt of its request. */
            is_final: boolean;
            /** @description Whether the answer was asked for as a stream. */
            is_stream: boolean;
            /** @description Whether the attempt succeeded. */
            is_success: boolean;
            /** @description What people see of the service key, also when it is deleted. */
            key_brief?: string | null;
            /** @description The identifier of the service key, also when it is deleted. */
            key_identifier?: string | null;
            /** @description The model that was asked for. */
            model_name: string;
            /** @description What was asked of the model. */
            operation: string;
            /**
             * Format: int32
             * @description Tokens of the question.
             */
            prompt_tokens?: number | null;
            /** @description Shared by all attempts of one request. */
            request_id: string;
            /** @description When the attempt ended: what the list is ordered and filtered by. It began `duration_ms` before. */
            request_time: string;
            /**
             * Format: int64
             * @description The key that was tried.
             */
            service_key_id?: number | null;
            /**
             * Format: int32
             * @description The HTTP status, if there was one.
             */
            status?: number | null;
            /**
             * Format: int32
             * @description Tokens of thinking.
             */
            thinking_tokens?: number | null;
            /**
             * Format: int32
             * @description All tokens.
             */
            total_tokens?: number | null;
            /**
             * Format: int64
             * @description Who asked.
             */
            user_key_id?: number | null;
        };
        /** @description Some attempts. */
        RequestLogs: {
            /** @description The attempts, newest first. */
            logs: components["schemas"]["RequestLog"][];
            /**
             * @description Where to go on; null at the end. Rare combinations of filters are searched for in steps:
             *     then a page may hold fewer rows than asked for, or none, and still not be the last.
             */
            next_cursor?: string | null;
            /** @description When the oldest and the newest attempt of the whole log ended; null from a cursor on. */
            request_time_range?: string[] | null;
            /**
             * Format: int64
             * @description Attempts in the range of time; null beside other filters and from a cursor on.
             */
            total?: number | null;
        };
        /** @description A request that has ended. */
        RequestNews: {
            /**
             * Format: int32
             * @description Its attempts.
             */
            attempts: number;
            /** @description The caller's protocol. */
            dialect: string;
            /**
             * Format: int32
             * @description Time to the end of the last attempt.
             */
            duration_ms: number;
            /** @description When it ended. */
            ended_at: components["schemas"]["Moment"];
            /** @description What went wrong. */
            error_kind?: string | null;
            /**
             * Format: int32
             * @description Time to the first byte of the last attempt.
             */
            first_byte_ms?: number | null;
            /** @description Whether the answer was asked for as a stream. */
            is_stream: boolean;
            /** @description Whether it succeeded. */
            is_success: boolean;
            /** @description The model that was asked for. */
            model: string;
            /** @description Names it in the log. */
            request_id: string;
            /**
             * Format: int64
             * @description The key that was tried last.
             */
            service_key_id?: number | null;
            /**
             * Format: int32
             * @description The HTTP status.
             */
            status?: number | null;
            /**
             * Format: int32
             * @description What it cost.
             */
            total_tokens?: number | null;
            /**
             * Format: int64
             * @description Who asked.
             */
            user_key_id?: number | null;
        };
        /** @description Requests that have ended; the data of the event `requests`. */
        RequestsNews: {
            /**
             * Format: int64
             * @description How many.
             */
            ended: number;
            /**
             * Format: int64
             * @description How many of them failed.
             */
            failed: number;
            /** @description The last eight of them, oldest first. */
            requests: components["schemas"]["RequestNews"][];
            /**
             * Format: int64
             * @description The tokens that they and their attempts have cost.
             */
            total_tokens: number;
        };
        /** @description Something that an upstream keeps. */
        Resource: {
            /** @description When it was made. */
            created_at: components["schemas"]["Moment"];
            expires_at?: components["schemas"]["Moment"] | null;
            /** @description First and last characters of that key; `null` if it was deleted. */
            key_brief?: string | null;
            /** @description Names that key in paths; `null` if it was deleted. */
            key_identifier?: string | null;
            /** @description What it is, as `files`. */
            kind: string;
            /** @description Its full name, as `files/abc`. */
            name: string;
            /** @description The project of that key; empty if it is alone. */
            project: string;
            /**
             * Format: int64
             * @description The service key that made it.
             */
            service_key_id: number;
            /** @description That key's name; `null` if it was deleted. */
            user_key?: string | null;
            /**
             * Format: int64
             * @description The user key that had it made.
             */
            user_key_id: number;
        };
        /** @description How many resources are of a kind. */
        ResourceKind: {
            /** @description The resources. */
            count: number;
            /** @description The kind. */
            kind: string;
        };
        /** @description A page of resources. */
        ResourcePage: {
            /** @description How many there are of each kind, whatever kind was asked for; most frequent first. */
            kinds: components["schemas"]["ResourceKind"][];
            /** @description Those that end first come first. */
            resources: components["schemas"]["Resource"][];
            /** @description How many there are on all pages. */
            total: number;
        };
        /** @description The end of a resource. */
        ResourceRemoved: {
            /** @description What has become of it. */
            outcome: components["schemas"]["Removal"];
        };
        /** @description How long the request log is kept. */
        Retention: {
            /**
             * Format: int64
             * @description Bytes; nought for any number.
             */
            log_bytes_max: number;
            /**
             * Format: int32
             * @description Days; nought for ever.
             */
            log_days: number;
        };
        /** @description One line. */
        Series: {
            /**
             * Format: int64
             * @description The key, if it stands for one.
             */
            id?: number | null;
            /** @description The identifier of the service key, if it stands for one. */
            key_identifier?: string | null;
            /**
             * @description What it stands for: the model, the kind of error, the name of the user key, the brief of the service key. `None`
             *     for attempts without a key.
             */
            name?: string | null;
            /** @description What there was in each period. */
            values: (components["schemas"]["Amount"] | null)[];
        };
        /** @description A service key. */
        ServiceKey: {
            /** @description The models for which it rests or counts something. */
            buckets: components["schemas"]["Bucket"][];
            /** @description When it was added. */
            created_at: components["schemas"]["Moment"];
            /** @description False if an admin has switched it off. */
            enabled: boolean;
            /**
             * Format: int32
             * @description Requests that use it at this moment.
             */
            in_use: number;
            /** @description First and last characters of the key. */
            key_brief: string;
            /** @description Names the key in paths and in the log. */
            key_identifier: string;
            last_day?: components["schemas"]["Amount"] | null;
            last_used_at?: components["schemas"]["Moment"] | null;
            next_probe_at?: components["schemas"]["Moment"] | null;
            no_credit_until?: components["schemas"]["Moment"] | null;
            /** @description A note of the admin. */
            note: string;
            /** @description The label of the project whose quota it shares; empty if it is alone. */
            project: string;
            /** @description The upstream's words for why it may not. */
            reason: string;
            /**
             * Format: int64
             * @description Its number in the log and the statistics.
             */
            service_key_id: number;
            since?: components["schemas"]["Moment"] | null;
            /** @description Whether it may serve, and why not. */
            state: components["schemas"]["KeyState"];
            /** @description Words of the admin to find it by. */
            tags: string[];
            /**
             * Format: int64
             * @description Keys of a lower tier serve first.
             */
            tier: number;
        };
        /** @description How often a service key was tried. */
        ServiceKeyCount: components["schemas"]["Occurrences"] & {
            /** @description What people see of it, also when it is deleted. */
            key_brief?: string | null;
            /** @description Its identifier, also when it is deleted. */
            key_identifier?: string | null;
            /**
             * Format: int64
             * @description The service key.
             */
            service_key_id: number;
        };
        /** @description Service keys by state. */
        ServiceKeyCounts: {
            active: number;
            disabled: number;
            in_use: number;
            invalid: number;
            next_return_at?: components["schemas"]["Moment"] | null;
            no_credit: number;
            /** @description Active keys that rest for a model at least. */
            resting: number;
            suspended: number;
            total: number;
        };
        /** @description A service key closely. */
        ServiceKeyDetail: {
            /** @description When the first of the 24 hours of `models` begins. */
            hours_from: components["schemas"]["Moment"];
            /** @description The key. */
            key: components["schemas"]["ServiceKey"];
            /** @description What it was used for in the last 24 hours, by model, most attempts first. */
            models: components["schemas"]["KeyModel"][];
            /**
             * @description What the upstream said of it last, latest first; kept until a restart as far as there is
             *     room.
             */
            refusals: components["schemas"]["KeyRefusal"][];
        };
        /** @description A page of service keys. */
        ServiceKeyPage: {
            /** @description The keys. */
            keys: components["schemas"]["ServiceKey"][];
            /** @description How many there are on all pages. */
            total: number;
        };
        /** @description What one service key was used for. */
        ServiceKeyUsage: components["schemas"]["Usage"] & {
            /** @description What people see of it, also when it is deleted. */
            key_brief?: string | null;
            /** @description Its identifier, also when it is deleted. */
            key_identifier?: string | null;
            /**
             * Format: int64
             * @description The service key; `None` for attempts that came to none.
             */
            service_key_id?: number | null;
        };
        /** @description The sessions that are alive. */
        SessionList: {
            /** @description The latest first. */
            sessions: components["schemas"]["AliveSession"][];
        };
        /** @description A setting in force. Secrets are replaced. */
        Setting: {
            /** @description What is written by now and holds from the next start on, if it is something else. */
            after_restart?: string | null;
            /** @description Other names that work. */
            aliases: string[];
            /** @description What holds when nothing is written; empty for nothing. */
            default: string;
            /** @description What it means. */
            doc: string;
            /** @description What may be written. */
            form: string;
            /**
             * @description Whether it may change while the gateway runs. A call may do so unless it is written in the
             *     environment, in `.env` or in `gemini-balance.toml`.
             */
            is_live: boolean;
            /** @description Its name in the environment; in the file the same in lower case. */
            name: string;
            /** @description The heading it stands under. */
            section: string;
            /** @description Where that was written: `environment`, `dot_env`, `file`, `stored` or `default`. */
            source: string;
            /** @description What holds here. */
            value: string;
        };
        /** @description One change of a setting. */
        SettingChange: {
            /** @description When. */
            at: components["schemas"]["Moment"];
            /** @description Who, or the file in which it was written. */
            by: string;
            /** @description What held before. */
            from: string;
            /** @description The setting. */
            name: string;
            /** @description What holds since. */
            to: string;
        };
        /** @description Who has changed what. */
        SettingChanges: {
            /** @description The latest first; the last five hundred are kept. */
            changes: components["schemas"]["SettingChange"][];
        };
        /** @description The settings in force. */
        Settings: {
            /** @description What is set and has no effect. */
            notices: string[];
            /** @description Each setting, in the order of the documentation. */
            settings: components["schemas"]["Setting"][];
        };
        /** @description What is to hold from now on. */
        SettingsChange: {
            /** @description Settings by name, each with its value as it would be written, or `null` for what holds elsewhere. */
            changes: {
                [key: string]: string | null;
            };
        };
        /** @description How far the gateway is from its first answer. */
        Setup: {
            /** @description Whether any request was ever answered, as far as the statistics go back. */
            has_answered: boolean;
            /** @description Service keys. */
            service_keys: number;
            /** @description Service keys that may serve. */
            usable_service_keys: number;
            /** @description User keys. */
            user_keys: number;
        };
        /** @description One step on the way to a mistake. */
        Step: string | number;
        /** @description Sums over attempts. */
        Sums: {
            /**
             * Format: int64
             * @description Tries with one key each.
             */
            attempts: number;
            /**
             * Format: int64
             * @description Those tokens of the questions that the upstream knew already.
             */
            cached_tokens: number;
            /**
             * Format: int64
             * @description Tokens of the answers.
             */
            completion_tokens: number;
            /**
             * Format: int64
             * @description Tokens of the questions.
             */
            prompt_tokens: number;
            /**
             * Format: int64
             * @description Requests: attempts that were the last of theirs.
             */
            requests: number;
            /**
             * Format: int64
             * @description Attempts, and thereby requests, that succeeded.
             */
            successes: number;
            /**
             * Format: int64
             * @description Tokens of thinking.
             */
            thinking_tokens: number;
            /**
             * Format: int64
             * @description All tokens.
             */
            total_tokens: number;
        };
        /** @description How the gateway is doing. */
        System: {
            database: components["schemas"]["Database"];
            /** @description How each part of it is. */
            health: components["schemas"]["Health"][];
            journal: components["schemas"]["JournalCounts"];
            retention: components["schemas"]["Retention"];
            service_keys: components["schemas"]["ServiceKeyCounts"];
            /** @description When the process started. */
            started_at: components["schemas"]["Moment"];
            traffic: components["schemas"]["Traffic"];
            /**
             * Format: int64
             * @description For how long it has been running, in ms.
             */
            uptime_ms: number;
            /** @description The version of the program. */
            version: string;
        };
        /** @description What a test has shown. */
        Tested: {
            /**
             * Format: int64
             * @description How long it took, in ms.
             */
            duration_ms: number;
            /** @description A stable word for what went wrong. */
            error?: string | null;
            /** @description Whether the upstream let the key in. */
            is_ok: boolean;
            /** @description The upstream's words. */
            message?: string | null;
            /**
             * Format: int32
             * @description The upstream's status; `null` without an answer.
             */
            status?: number | null;
        };
        /** @description A test and the key afterwards. */
        TestedKey: components["schemas"]["Tested"] & {
            /** @description The key. */
            key_identifier: string;
            /** @description Its state after the test. */
            state: components["schemas"]["KeyState"];
        };
        /** @description A session that has begun. The same token is set as an HttpOnly cookie. */
        Token: {
            /** @description To be sent as `Authorization: Bearer`. */
            access_token: string;
            /**
             * Format: int64
             * @description How long it counts, in seconds.
             */
            expires_in: number;
            /** @description Always `bearer`. */
            token_type: string;
        };
        /** @description What is under way. */
        Traffic: {
            /** @description Connections of callers. */
            connections: number;
            /** @description Live sessions that are open. */
            live_sessions: number;
            /** @description How many of them may be. */
            live_sessions_max: number;
            /**
             * Format: int64
             * @description Requests that are served.
             */
            requests: number;
            /** @description Requests that wait for a service key. */
            waiting_for_key: number;
            /** @description Requests that wait for a place. */
            waiting_for_place: number;
        };
        /** @description What many keys share; the data of the event `trouble`. */
        TroubleNews: {
            /**
             * @description `faulty`: the upstream or the way to it fails. `rate_limited`: it refuses the gateway as a
             *     whole. `null`: it serves again.
             */
            kind?: string | null;
        };
        /** @description Sums and what follows from them. */
        Usage: components["schemas"]["Sums"] & {
            /**
             * Format: double
             * @description Successes per request, in percent; `None` without requests.
             */
            request_success_rate?: number | null;
            /**
             * Format: double
             * @description Successes per attempt, in percent; `None` without attempts.
             */
            success_rate?: number | null;
        };
        /** @description A user key. */
        UserKey: {
            /** @description Its name. */
            alias: string;
            /** @description First and last characters of the key; the whole key in the answer that makes it. */
            api_key: string;
            /**
             * Format: int64
             * @description Requests made with it.
             */
            call_count: number;
            /** @description When it was made. */
            created_at: components["schemas"]["Moment"];
            /** @description Whether it lets anybody in. */
            enabled: boolean;
            expires_at?: components["schemas"]["Moment"] | null;
            /**
             * Format: int64
             * @description Names the key in paths and in the log.
             */
            id: number;
            last_used_at?: components["schemas"]["Moment"] | null;
            /** @description A note of the admin. */
            note: string;
            /**
             * Format: int64
             * @description Tokens that its requests have cost.
             */
            tokens: number;
        };
        /** @description How often a user key asked. */
        UserKeyCount: components["schemas"]["Occurrences"] & {
            /** @description Its name, also when it is deleted. */
            name?: string | null;
            /**
             * Format: int64
             * @description The user key.
             */
            user_key_id: number;
        };
        /** @description What is to become different; what is absent stays. */
        UserKeyUpdate: {
            /** @description Another name. */
            alias?: string | null;
            /** @description Lets the key in or shuts it out. */
            enabled?: boolean | null;
            /**
             * Format: date-time
             * @description Another end; `null` for none.
             */
            expires_at?: string | null;
            /** @description Another note. */
            note?: string | null;
        };
        /** @description What one user key used. */
        UserKeyUsage: components["schemas"]["Usage"] & {
            /** @description Its name, also when it is deleted. */
            name?: string | null;
            /**
             * Format: int64
             * @description The user key; `None` for attempts without one.
             */
            user_key_id?: number | null;
        };
        /** @description What is running. */
        Version: {
            /** @description The name of the program. */
            name: string;
            /** @description Its version. */
            version: string;
        };
        /** @description One hour of the week. */
        WeekHour: {
            /**
             * Format: int32
             * @description From 0 to 23.
             */
            hour: number;
            usage?: components["schemas"]["Usage"] | null;
            /**
             * Format: int32
             * @description From 1, Monday, to 7, Sunday.
             */
            weekday: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    show_alerts: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Receivers and what holds */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AlertState"];
                };
            };
        };
    };
    test_alerts: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How it went, for each receiver */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AlertTest"];
                };
            };
            /** @description Nobody is told, since no receiver is set */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description A test was just made: wait as `Retry-After` says */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_user_keys: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All user keys */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserKey"][];
                };
            };
        };
    };
    create_user_key: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewUserKey"];
            };
        };
        responses: {
            /** @description The key, in full */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserKey"];
                };
            };
            /** @description Another key has this name */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The name will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    user_key: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the key, or the key itself */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The key */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserKey"];
                };
            };
            /** @description There is no such key */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    update_user_key: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the key, or the key itself */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserKeyUpdate"];
            };
        };
        responses: {
            /** @description What the key has become */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserKey"];
                };
            };
            /** @description There is no such key */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Another key has this name */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description A value will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    delete_user_key: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the key, or the key itself */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The key is deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description There is no such key */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    rotate_user_key: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of the key, or the key itself */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The key, with its secret in full */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserKey"];
                };
            };
            /** @description There is no such key */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    login: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LoginForm"];
                "application/x-www-form-urlencoded": components["schemas"]["LoginForm"];
                "multipart/form-data": components["schemas"]["LoginForm"];
            };
        };
        responses: {
            /** @description A session has begun */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Token"];
                };
            };
            /** @description The password is wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The password is missing */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many attempts: wait as `Retry-After` says */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    logout: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The session has ended */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    me: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The session */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
        };
    };
    change_password: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordChange"];
            };
        };
        responses: {
            /** @description The password is set, a new session has begun */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Token"];
                };
            };
            /** @description The current password is wrong */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The password is set in the configuration */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The new password will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_sessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The sessions */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionList"];
                };
            };
        };
    };
    end_other_sessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How many have ended */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EndedSessions"];
                };
            };
        };
    };
    end_session: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The session's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The session has ended */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description There is no such session */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    download_backup: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BackupOrder"];
            };
        };
        responses: {
            /** @description The backup */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description The password is wrong */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Another copy is being made */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The passphrase will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many attempts: wait as `Retry-After` says */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description There is no room for the copy */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    watch_events: {
        parameters: {
            query?: {
                /** @description Goes on after this event, for clients that cannot send the header. */
                last_event_id?: number;
            };
            header?: {
                /** @description Go on after this event; counts before the parameter */
                "last-event-id"?: number | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The events */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many are watching */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    look_at_import: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description The file */
        requestBody: {
            content: {
                "application/octet-stream": string;
            };
        };
        responses: {
            /** @description What would become of it */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MovingIn"];
                };
            };
            /** @description The file is larger than 64 MiB */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description It is nothing that is known, or damaged; the message says which */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    take_import: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The name of what was looked at */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MoveInOrder"];
            };
        };
        responses: {
            /** @description The job */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description It is not there any more */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many jobs are not done yet */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    forget_import: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The name of what was looked at */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is forgotten */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description It is not there any more */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_jobs: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The jobs */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobList"];
                };
            };
        };
    };
    job: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The job */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description There is no such job */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    cancel_job: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The job, which ends shortly if it is not over */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description There is no such job */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    job_results: {
        parameters: {
            query?: {
                /** @description Results per page. */
                limit?: number;
                /** @description Results before the page. */
                offset?: number;
                /** @description Only those of this outcome. */
                outcome?: "done" | "unchanged" | "failed" | "not_found" | "unreadable" | "added" | "duplicate" | "invalid" | "too_many_tags";
            };
            header?: never;
            path: {
                /** @description The job's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Some results */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobResults"];
                };
            };
            /** @description There is no such job */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description A parameter will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    undo_job: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job's id */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The job that undoes it */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description There is no such job */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description It cannot be undone */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_service_keys: {
        parameters: {
            query?: {
                /** @description Whether they are switched on. */
                enabled?: boolean;
                /** @description Keys per page. */
                limit?: number;
                /** @description Keys before the page. */
                offset?: number;
                /** @description The project's label; empty for keys that are alone. */
                project?: string;
                /** @description A text within identifier, brief, note, project or a tag; case does not matter. */
                q?: string;
                /** @description What they are sorted by; with a minus sign in front, the other way round. */
                sort?: "created_at" | "-created_at" | "last_used_at" | "-last_used_at" | "state" | "-state" | "project" | "-project" | "tier" | "-tier";
                /** @description How the keys stand. */
                state?: "active" | "invalid" | "suspended" | "no_credit" | "disabled" | "unreadable" | "resting" | "in_use";
                /** @description One of the tags. */
                tag?: string;
                /** @description The tier. */
                tier?: number;
                /** @description Whether to tell what each key did in the last 24 hours. */
                usage?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of keys */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServiceKeyPage"];
                };
            };
            /** @description A parameter will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    add_service_keys: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewKeys"];
            };
        };
        responses: {
            /** @description What became of each line */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AddedKeys"];
                };
            };
            /** @description The list cannot be read */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    service_key: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The key's identifier */
                key_identifier: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The key */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServiceKey"];
                };
            };
            /** @description There is no such key */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    delete_service_key: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The key's identifier */
                key_identifier: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The key is deleted */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeyDone"];
                };
            };
            /** @description There is no such key */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    update_service_key: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The key's identifier */
                key_identifier: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["KeyUpdate"];
            };
        };
        responses: {
            /** @description What the key has become */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServiceKey"];
                };
            };
            /** @description There is no such key */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description A value will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    service_key_detail: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The key's identifier */
                key_identifier: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The key closely */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServiceKeyDetail"];
                };
            };
            /** @description There is no such key */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    reset_service_key: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The key's identifier */
                key_identifier: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The key is as good as new */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeyDone"];
                };
            };
            /** @description There is no such key */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The key cannot be decrypted */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    test_service_key: {
        parameters: {
            query?: {
                /** @description The model whose tokens the upstream shall count; if absent, it is asked for its models. */
                model?: string;
            };
            header?: never;
            path: {
                /** @description The key's identifier */
                key_identifier: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What the test has shown */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TestedKey"];
                };
            };
            /** @description There is no such key */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The key cannot be decrypted */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    change_service_keys: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BulkOrder"];
            };
        };
        responses: {
            /** @description What became of each key */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkOutcome"];
                };
            };
            /** @description The order cannot be understood */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    export_service_keys: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ExportOrder"];
            };
        };
        responses: {
            /** @description The keys in full */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Exported"];
                };
            };
            /** @description The password is wrong */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The order cannot be understood */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many attempts: wait as `Retry-After` says */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    import_service_keys: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ImportOrder"];
            };
        };
        responses: {
            /** @description The job */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description Too many jobs are not done yet */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The list cannot be read */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    begin_key_job: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["KeyJobOrder"];
            };
        };
        responses: {
            /** @description The job */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description Too many jobs are not done yet */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The order cannot be understood */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    reset_service_keys: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All keys are as good as new */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeysDone"];
                };
            };
        };
    };
    service_key_statuses: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All keys */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeyStatuses"];
                };
            };
        };
    };
    count_service_key_values: {
        parameters: {
            query?: {
                /** @description Whether they are switched on. */
                enabled?: boolean;
                /** @description The project's label; empty for keys that are alone. */
                project?: string;
                /** @description A text within identifier, brief, note, project or a tag; case does not matter. */
                q?: string;
                /** @description How the keys stand. */
                state?: "active" | "invalid" | "suspended" | "no_credit" | "disabled" | "unreadable" | "resting" | "in_use";
                /** @description One of the tags. */
                tag?: string;
                /** @description The tier. */
                tier?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The values with their counts */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeyValues"];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_live_sessions: {
        parameters: {
            query?: {
                /** @description Sessions at most. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How many there are, and the newest */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LiveSessionList"];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    watch: {
        parameters: {
            query?: {
                /** @description The form of each line. */
                format?: "text" | "json";
                /** @description Goes on after this event, for clients that cannot send the header. */
                last_event_id?: number;
                /** @description Lines at least this grave; all if absent. */
                level?: "error" | "warning" | "info" | "debug" | "trace";
                /** @description Lines that contain exactly this text. */
                q?: string;
            };
            header?: {
                /** @description Go on after this event; counts before the parameter */
                "last-event-id"?: number | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The events */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many are watching */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    document: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description This document */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
        };
    };
    list: {
        parameters: {
            query?: {
                /** @description Goes on where the page that answered this `next_cursor` ended. */
                cursor?: string;
                /** @description With exactly this kind of error. */
                error_type?: string;
                /** @description The last attempts of requests only, or the others only. */
                is_final?: boolean;
                /** @description Streams only, or whole answers only. */
                is_stream?: boolean;
                /** @description Successes only, or failures only. */
                is_success?: boolean;
                /** @description With the service key of this identifier. */
                key_identifier?: string;
                /** @description Rows at most. */
                limit?: number;
                /** @description For exactly this model. */
                model_name?: string;
                /** @description Rows to skip. Only beside filters of time; follow `next_cursor` otherwise. */
                offset?: number;
                /** @description Of this request, in up to 32 hexadecimal digits. */
                request_id?: string;
                /** @description Ended at this time or earlier, in the same forms. */
                request_time_end?: string;
                /** @description Ended at this time or later: ISO 8601 (UTC if without a zone), or a number of seconds or milliseconds since 1970. */
                request_time_start?: string;
                /** @description With this service key. */
                service_key_id?: number;
                /** @description With this HTTP status. */
                status?: number;
                /** @description By this user key. */
                user_key_id?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Some attempts */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RequestLogs"];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    one: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Up to 32 hexadecimal digits */
                request_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The request */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OneRequest"];
                };
            };
            /** @description The log does not have it */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    count_log_values: {
        parameters: {
            query?: {
                /** @description Its start: ISO 8601 (UTC if without a zone), or a number of seconds or milliseconds since 1970; a day before its end if absent. */
                from?: string;
                /** @description Entries at most. */
                limit?: number;
                /** @description The first moment after it, in the same forms; now if absent. */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The values, most frequent first */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogValueCounts"];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    export: {
        parameters: {
            query?: {
                /** @description Goes on where the page that answered this `next_cursor` ended. */
                cursor?: string;
                /** @description With exactly this kind of error. */
                error_type?: string;
                /** @description The kind of file. */
                format?: "csv" | "jsonl";
                /** @description The last attempts of requests only, or the others only. */
                is_final?: boolean;
                /** @description Streams only, or whole answers only. */
                is_stream?: boolean;
                /** @description Successes only, or failures only. */
                is_success?: boolean;
                /** @description With the service key of this identifier. */
                key_identifier?: string;
                /** @description Rows at most; all of them if absent. */
                limit?: number;
                /** @description For exactly this model. */
                model_name?: string;
                /** @description Of this request, in up to 32 hexadecimal digits. */
                request_id?: string;
                /** @description Ended at this time or earlier, in the same forms. */
                request_time_end?: string;
                /** @description Ended at this time or later: ISO 8601 (UTC if without a zone), or a number of seconds or milliseconds since 1970. */
                request_time_start?: string;
                /** @description With this service key. */
                service_key_id?: number;
                /** @description With this HTTP status. */
                status?: number;
                /** @description By this user key. */
                user_key_id?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/csv": string;
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    values: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The known values */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KnownValues"];
                };
            };
        };
    };
    list_resources: {
        parameters: {
            query?: {
                /** @description What they are, as `files`. */
                kind?: string;
                /** @description Resources per page. */
                limit?: number;
                /** @description Resources before the page. */
                offset?: number;
                /** @description A text within the name; case does not matter. */
                q?: string;
                /** @description Which service key has made them. */
                service_key_id?: number;
                /** @description Whose they are. */
                user_key_id?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of resources */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResourcePage"];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    delete_resource: {
        parameters: {
            query: {
                /** @description The full name, as `files/abc`. */
                name: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is gone */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResourceRemoved"];
                };
            };
            /** @description No such resource is remembered */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The upstream did not delete it */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    settings: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The settings */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Settings"];
                };
            };
        };
    };
    change_settings: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SettingsChange"];
            };
        };
        responses: {
            /** @description The settings */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Settings"];
                };
            };
            /** @description A setting is written elsewhere, which goes before */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description A value will not do, or a setting needs a restart */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_setting_changes: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The changes */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SettingChanges"];
                };
            };
        };
    };
    setup: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What is there */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Setup"];
                };
            };
        };
    };
    by_model: {
        parameters: {
            query?: {
                /** @description Its start: ISO 8601 (UTC if without a zone), or a number of seconds or milliseconds since 1970; a day before its end if absent. */
                from?: string;
                /** @description Entries at most. */
                limit?: number;
                /** @description Of exactly this model. */
                model?: string;
                /** @description Of this service key, by its number in the log. */
                service_key_id?: number;
                /** @description The first moment after it, in the same forms; now if absent. */
                to?: string;
                /** @description Of this user key. */
                user_key_id?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One entry per model */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelUsage"][];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    by_service_key: {
        parameters: {
            query?: {
                /** @description Its start: ISO 8601 (UTC if without a zone), or a number of seconds or milliseconds since 1970; a day before its end if absent. */
                from?: string;
                /** @description Entries at most. */
                limit?: number;
                /** @description The first moment after it, in the same forms; now if absent. */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One entry per service key */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServiceKeyUsage"][];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    by_user_key: {
        parameters: {
            query?: {
                /** @description Its start: ISO 8601 (UTC if without a zone), or a number of seconds or milliseconds since 1970; a day before its end if absent. */
                from?: string;
                /** @description Entries at most. */
                limit?: number;
                /** @description The first moment after it, in the same forms; now if absent. */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One entry per user key */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserKeyUsage"][];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    stats_chart: {
        parameters: {
            query: {
                /** @description What each line stands for. */
                by: "model" | "user_key" | "service_key" | "error_kind";
                /** @description Its start: ISO 8601 (UTC if without a zone), or a number of seconds or milliseconds since 1970; a day before its end if absent. */
                from?: string;
                /** @description Lines at most; the rest is one line. */
                limit?: number;
                /** @description The length of a period; one that suits the range if absent. */
                step?: "quarter" | "hour" | "day" | "week" | "month";
                /** @description The IANA time zone whose clock and calendar count. */
                timezone?: string;
                /** @description The first moment after it, in the same forms; now if absent. */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The lines over their periods */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Chart"];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    daily_usage_chart: {
        parameters: {
            query?: {
                /** @description An IANA time zone. */
                timezone_str?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A label per service key, a row per model */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChartData_u64"];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    daily_usage_heatmap: {
        parameters: {
            query: {
                /** @description An IANA time zone. */
                timezone_str?: string;
                /** @description What is counted. */
                type: "requests" | "tokens";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Pairs of date and number */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": [
                        string,
                        number
                    ][];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    errors: {
        parameters: {
            query?: {
                /** @description Its start: ISO 8601 (UTC if without a zone), or a number of seconds or milliseconds since 1970; a day before its end if absent. */
                from?: string;
                /** @description The first moment after it, in the same forms; now if absent. */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One entry per kind of error */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorCount"][];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    hourly_success_rate: {
        parameters: {
            query?: {
                /** @description How many days. */
                days?: number;
                /** @description An IANA time zone. */
                timezone?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Labels from 00 to 23, a row per model */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChartData_Option_f64"];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    stats_latencies: {
        parameters: {
            query?: {
                /** @description Its start: ISO 8601 (UTC if without a zone), or a number of seconds or milliseconds since 1970; a day before its end if absent. */
                from?: string;
                /** @description Of exactly this model. */
                model?: string;
                /** @description The length of a period; one that suits the range if absent. */
                step?: "quarter" | "hour" | "day" | "week" | "month";
                /** @description The IANA time zone whose clock and calendar count. */
                timezone?: string;
                /** @description The first moment after it, in the same forms; now if absent. */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One entry per period */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LatencyPoint"][];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    stats_now: {
        parameters: {
            query?: {
                /** @description The last minutes that count. */
                minutes?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Rates, sums and errors */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Recent"];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    overview: {
        parameters: {
            query?: {
                /** @description Its start: ISO 8601 (UTC if without a zone), or a number of seconds or milliseconds since 1970; a day before its end if absent. */
                from?: string;
                /** @description Of exactly this model. */
                model?: string;
                /** @description Of this service key, by its number in the log. */
                service_key_id?: number;
                /** @description The first moment after it, in the same forms; now if absent. */
                to?: string;
                /** @description Of this user key. */
                user_key_id?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The sums */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Overview"];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    success_rate: {
        parameters: {
            query?: {
                /** @description How many days. */
                days?: number;
                /** @description An IANA time zone. */
                timezone_str?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A label per day, a row per model */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChartData_Option_f64"];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    timeline: {
        parameters: {
            query?: {
                /** @description Its start: ISO 8601 (UTC if without a zone), or a number of seconds or milliseconds since 1970; a day before its end if absent. */
                from?: string;
                /** @description Of exactly this model. */
                model?: string;
                /** @description Of this service key, by its number in the log. */
                service_key_id?: number;
                /** @description The length of a period; one that suits the range if absent. */
                step?: "quarter" | "hour" | "day" | "week" | "month";
                /** @description The IANA time zone whose clock and calendar count. */
                timezone?: string;
                /** @description The first moment after it, in the same forms; now if absent. */
                to?: string;
                /** @description Of this user key. */
                user_key_id?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description One entry per period */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Point"][];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    usage_stats: {
        parameters: {
            query: {
                /** @description How many periods, at most 1000. */
                num_periods?: number;
                /** @description By how many periods the last one is moved; negative into the past. */
                offset?: number;
                /** @description An IANA time zone. */
                timezone_str?: string;
                /** @description What is counted. */
                type: "requests" | "tokens";
                /** @description The length of a period; a day if absent. */
                unit?: "day" | "week" | "month";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A label per period, a row per model */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChartData_u64"];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    week_hours: {
        parameters: {
            query?: {
                /** @description Its start: ISO 8601 (UTC if without a zone), or a number of seconds or milliseconds since 1970; a day before its end if absent. */
                from?: string;
                /** @description Of exactly this model. */
                model?: string;
                /** @description Of this service key, by its number in the log. */
                service_key_id?: number;
                /** @description The IANA time zone whose clock and calendar count. */
                timezone?: string;
                /** @description The first moment after it, in the same forms; now if absent. */
                to?: string;
                /** @description Of this user key. */
                user_key_id?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description 168 entries, from Monday 00 on */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WeekHour"][];
                };
            };
            /** @description A parameter is unknown or will not do */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    system: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Size, health and traffic */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["System"];
                };
            };
        };
    };
    version: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Name and version */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Version"];
                };
            };
        };
    };
}
