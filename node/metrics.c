/* metrics.c - GET /metrics. */
#include "metrics.h"

#include <lmdb.h>
#include <sodium.h>
#include <string.h>
#include <zmq.h>

#include "node_int.h"

static const double commit_bounds[COMMIT_BUCKETS] = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                      0.1,   0.25,   0.5,   1,    5 };

/* ---- counting ---- */

void metrics_recorded(struct metrics *m, unsigned kind)
{
    if (kind <= RECORD_KIND_LAST)
        m->recorded[kind]++;
}

void metrics_rejected(struct metrics *m, const char *code)
{
    unsigned i = 0;

    if (code[0] == '\0')
        code = "invalid";
    while (i < REJECTED_KINDS - 1 && m->rejected[i].code[0] && strcmp(m->rejected[i].code, code))
        i++;
    if (m->rejected[i].code[0] == '\0')
        snprintf(m->rejected[i].code, sizeof m->rejected[i].code, "%s",
                 i == REJECTED_KINDS - 1 ? "other" : code);
    m->rejected[i].times++;
}

void metrics_commit(struct metrics *m, double seconds)
{
    unsigned i = 0;

    while (i < COMMIT_BUCKETS && seconds > commit_bounds[i])
        i++;
    if (i < COMMIT_BUCKETS)
        m->commit_le[i]++;
    m->commits++;
    m->commit_seconds += seconds;
}

static void count_upload(struct metrics *m, const struct ledger *l, uint64_t slot, bool ours)
{
    struct buf b = { 0 };
    struct receipt r;
    struct intent in;

    if (ledger_receipt(l, slot, &b) == ERR_OK && receipt_decode(b.p, b.len, &r, NULL) == ERR_OK &&
        intent_decode(r.intent, r.intent_len, &in, NULL) == ERR_OK) {
        if (in.type == SLOT_UPLOAD) {
            m->uploaded_at_ms = r.at_ms;
            m->uploaded += ours ? in.records : 0;
        }
        intent_free(&in);
    }
    buf_free(&b);
}

void metrics_watch(struct metrics *m, const struct core *c, const struct ledger_view *v)
{
    const struct ledger *l = core_ledger(c);
    uint64_t decided = ledger_decided(l), slot = decided;

    if (!m->begun) { /* when was the last one before this start? */
        m->begun = true;
        while (slot > 0 && m->uploaded_at_ms == 0)
            count_upload(m, l, slot--, false);
        m->decided = decided;
        m->term = v->term;
    }
    while (m->decided < decided)
        count_upload(m, l, ++m->decided, true);
    m->elections += v->term != m->term;
    m->term = v->term;
    m->upload_failures += v->stopped && !m->failing;
    m->failing = v->stopped;
}

/* ---- writing ---- */

static void family(struct buf *b, const char *name, const char *kind, const char *help)
{
    buf_printf(b, "# HELP tideover_%s %s\n# TYPE tideover_%s %s\n", name, help, name, kind);
}

static void one(struct buf *b, const char *name, const char *kind, const char *help, double value)
{
    family(b, name, kind, help);
    buf_printf(b, "tideover_%s %.15g\n", name, value);
}

static double wall_s(const struct moment *now, uint64_t boot_ms)
{
    return (double)(now->wall_ms - (int64_t)(now->boot_ms - boot_ms)) / 1000;
}

static void put_build(struct buf *b, const struct node *n, const struct moment *now)
{
    int lmdb[3], zmq[3];

    mdb_version(&lmdb[0], &lmdb[1], &lmdb[2]);
    zmq_version(&zmq[0], &zmq[1], &zmq[2]);
    family(b, "build_info", "gauge", "What runs here; always 1.");
    buf_printf(b,
               "tideover_build_info{version=\"%s\",lmdb=\"%d.%d.%d\",zmq=\"%d.%d.%d\","
               "sodium=\"%s\"} 1\n",
               TIDEOVER_VERSION, lmdb[0], lmdb[1], lmdb[2], zmq[0], zmq[1], zmq[2],
               sodium_version_string());
    one(b, "start_time_seconds", "gauge", "When the node started, Unix time.",
        wall_s(now, n->started_ms));
}

static void put_server(struct buf *b, const struct core_view *v, const struct moment *now)
{
    one(b, "server_up", "gauge", "The library's server answers this desk.",
        watch_answers(&v->watch));
    if (v->watch.seen != WATCH_UNKNOWN)
        one(b, "server_state_change_timestamp_seconds", "gauge",
            "When this desk last saw it go or come back.", wall_s(now, v->watch.since_ms));
    one(b, "server_checks_total", "counter", "Looks at the server.", (double)v->watch.checks);
    one(b, "server_check_failures_total", "counter", "Looks that found it away.",
        (double)v->watch.failures);
}

/* Looked at only when somebody asks: so long some record has waited at least. */
static double replication_lag_s(struct metrics *m, const struct core_view *v, uint64_t now_ms)
{
    if (v->replicated >= v->local)
        m->lag_ms = 0;
    else if (m->lag_ms == 0 || v->replicated >= m->lag_count) {
        m->lag_count = v->local;
        m->lag_ms = now_ms;
    }
    return m->lag_ms == 0 ? 0 : (double)(now_ms - m->lag_ms) / 1000;
}

static void put_records(struct buf *b, struct node *n, const struct core_view *v,
                        const struct moment *now)
{
    struct metrics *m = &n->metrics;
    const struct blocklist_head *list = core_blocklist(n->core);

    family(b, "records_total", "counter", "Records made at this desk since the start.");
    for (unsigned k = 1; k <= RECORD_KIND_LAST; k++)
        buf_printf(b, "tideover_records_total{operation=\"%s\"} %llu\n", record_kind_name(k),
                   (unsigned long long)m->recorded[k]);
    family(b, "records_rejected_total", "counter", "Scans and records refused here, by reason.");
    for (unsigned i = 0; i < REJECTED_KINDS && m->rejected[i].times > 0; i++)
        buf_printf(b, "tideover_records_rejected_total{reason=\"%s\"} %llu\n", m->rejected[i].code,
                   (unsigned long long)m->rejected[i].times);
    one(b, "records_held", "gauge", "Records on this desk, its own and the others'.",
        (double)v->held);
    one(b, "records_pending_replication", "gauge", "Records of this desk that no other desk has.",
        (double)(v->local - v->replicated));
    one(b, "replication_lag_seconds", "gauge",
        "How long the oldest of them has waited, as far as these answers saw it.",
        replication_lag_s(m, v, now->boot_ms));
    one(b, "records_pending_upload", "gauge", "Records here that no upload has yet.",
        (double)v->pending);
    one(b, "records_quarantined", "gauge",
        "Records that count for nothing until a lead admits them.", (double)v->quarantined);
    family(b, "records_set_aside", "gauge", "Records of past uploads that wait for a person.");
    for (unsigned w = ASIDE_HELD; w <= ASIDE_NOT_LOADED; w++)
        buf_printf(b, "tideover_records_set_aside{reason=\"%s\"} %llu\n", aside_name(w),
                   (unsigned long long)core_aside_count(n->core, w));
    one(b, "discharges_held", "gauge", "Discharges on the HOLD-CHECK list.",
        (double)core_aside_count(n->core, ASIDE_HELD));
    if (list)
        one(b, "blocklist_timestamp_seconds", "gauge", "When the block list was made.",
            (double)list->date_ms / 1000);
}

static void put_store(struct buf *b, const struct node *n)
{
    const struct metrics *m = &n->metrics;
    struct store_stats st;
    uint64_t sum = 0;

    store_stats(n->store, &st);
    family(b, "commit_duration_seconds", "histogram",
           "From a round's records to the flushed disk.");
    for (unsigned i = 0; i < COMMIT_BUCKETS; i++)
        buf_printf(b, "tideover_commit_duration_seconds_bucket{le=\"%g\"} %llu\n", commit_bounds[i],
                   (unsigned long long)(sum += m->commit_le[i]));
    buf_printf(b,
               "tideover_commit_duration_seconds_bucket{le=\"+Inf\"} %llu\n"
               "tideover_commit_duration_seconds_sum %.9g\n"
               "tideover_commit_duration_seconds_count %llu\n",
               (unsigned long long)m->commits, m->commit_seconds, (unsigned long long)m->commits);
    one(b, "commit_failures_total", "counter", "Commits that the disk refused.",
        (double)st.commit_failures);
    one(b, "saving", "gauge", "This desk saves what is recorded; 0: STOP, write on paper.",
        !n->stopped);
    one(b, "store_used_bytes", "gauge", "Of the store's map, in use.", (double)st.used_bytes);
    one(b, "store_map_bytes", "gauge", "Size of the store's map.", (double)st.map_bytes);
    one(b, "store_disk_free_bytes", "gauge", "Free on the store's disk.",
        (double)st.disk_free_bytes);
}

/* One family over all peers; `value` false: nothing is known of this one. */
static void put_peer_family(struct buf *b, const struct node *n, const struct moment *now,
                            const char *name, const char *kind, const char *help,
                            bool (*value)(const struct node *n, const struct moment *now,
                                          const struct peer_view *p, double *out))
{
    family(b, name, kind, help);
    for (unsigned i = 0; i < core_peers(n->core); i++) {
        struct peer_view p;
        double v;
        core_peer_view(n->core, now, i, &p);
        if (value(n, now, &p, &v))
            buf_printf(b, "tideover_%s{peer=\"%s\"} %.15g\n", name, status_desk_name(n, &p.id), v);
    }
}

static bool last_seen(const struct node *n, const struct moment *now, const struct peer_view *p,
                      double *out)
{
    (void)n;
    *out = (double)(now->wall_ms - (int64_t)p->silent_ms) / 1000;
    return p->ever_heard;
}

static bool behind(const struct node *n, const struct moment *now, const struct peer_view *p,
                   double *out)
{
    (void)n, (void)now;
    *out = (double)p->behind;
    return true;
}

static bool missing(const struct node *n, const struct moment *now, const struct peer_view *p,
                    double *out)
{
    (void)n, (void)now;
    *out = (double)p->missing;
    return true;
}

static bool clock_offset(const struct node *n, const struct moment *now, const struct peer_view *p,
                         double *out)
{
    (void)n, (void)now;
    *out = (double)p->clock_ms / 1000;
    return p->has_clock;
}

static bool disk_free(const struct node *n, const struct moment *now, const struct peer_view *p,
                      double *out)
{
    (void)n, (void)now;
    *out = (double)p->condition.disk_free;
    return p->has_condition;
}

static bool problems(const struct node *n, const struct moment *now, const struct peer_view *p,
                     double *out)
{
    (void)n, (void)now;
    *out = p->condition.n;
    return p->has_condition;
}

static bool refused(const struct node *n, const struct moment *now, const struct peer_view *p,
                    double *out)
{
    (void)n, (void)now;
    *out = (double)p->refused;
    return true;
}

static bool sent(const struct node *n, const struct moment *now, const struct peer_view *p,
                 double *out)
{
    struct net_traffic t = net_traffic(n->net, &p->id);

    (void)now;
    *out = (double)t.sent;
    return true;
}

static bool received(const struct node *n, const struct moment *now, const struct peer_view *p,
                     double *out)
{
    struct net_traffic t = net_traffic(n->net, &p->id);

    (void)now;
    *out = (double)t.received;
    return true;
}

static void put_peers(struct buf *b, const struct node *n, const struct moment *now)
{
    unsigned by[PEER_RETIRED + 1] = { 0 };

    for (unsigned i = 0; i < core_peers(n->core); i++) {
        struct peer_view p;
        core_peer_view(n->core, now, i, &p);
        by[p.state]++;
    }
    family(b, "peers", "gauge", "Other desks of the branch, by state.");
    for (unsigned s = 0; s <= PEER_RETIRED; s++)
        buf_printf(b, "tideover_peers{state=\"%s\"} %u\n", peer_state_name(s), by[s]);
    put_peer_family(b, n, now, "peer_last_seen_timestamp_seconds", "gauge",
                    "When that desk was last heard.", last_seen);
    put_peer_family(b, n, now, "peer_records_behind", "gauge", "What it lacks of ours.", behind);
    put_peer_family(b, n, now, "peer_records_missing", "gauge", "What we lack of what it has.",
                    missing);
    put_peer_family(b, n, now, "peer_clock_offset_seconds", "gauge", "Its clock minus ours.",
                    clock_offset);
    put_peer_family(b, n, now, "peer_disk_free_bytes", "gauge",
                    "Free where its store lies, as it said last.", disk_free);
    put_peer_family(b, n, now, "peer_problems", "gauge",
                    "What is wrong at that desk, as it said last: how many things.", problems);
    put_peer_family(b, n, now, "peer_refused_total", "counter",
                    "Messages of it that broke the protocol.", refused);
    put_peer_family(b, n, now, "peer_sent_bytes_total", "counter",
                    "Sent to it since the start, packed, before encryption.", sent);
    put_peer_family(b, n, now, "peer_received_bytes_total", "counter",
                    "Received from it since the start, after decryption.", received);
}

static void put_upload(struct buf *b, const struct node *n, const struct ledger_view *v)
{
    const struct metrics *m = &n->metrics;
    double done = n->upload_job ? (double)n->upload_job->progress : 0,
           total = n->upload_job ? (double)n->upload_job->total : 0;

    one(b, "election_term", "gauge", "Newest term of an election that this desk knows.",
        (double)v->term);
    one(b, "election_changes_total", "counter", "Terms seen to change.", (double)m->elections);
    one(b, "is_uploader", "gauge", "This desk uploads now; over a branch never more than 1.",
        v->is_uploader);
    one(b, "upload_records_total", "counter",
        "Records of the uploads decided since this desk started, whoever sent them.",
        (double)m->uploaded);
    one(b, "upload_failures_total", "counter", "Uploads that stood still for a person.",
        (double)m->upload_failures);
    one(b, "upload_progress_ratio", "gauge", "Of what this desk hands over now, 0 to 1.",
        total > 0 ? done / total : 0);
    if (m->uploaded_at_ms > 0)
        one(b, "upload_last_success_timestamp_seconds", "gauge", "When the last upload ended.",
            (double)m->uploaded_at_ms / 1000);
}

static bool same_problem(const json_t *a, const json_t *b)
{
    return json_equal(json_object_get(a, "code"), json_object_get(b, "code")) &&
           (json_equal(json_object_get(a, "desk"), json_object_get(b, "desk")) ||
            (!json_object_get(a, "desk") && !json_object_get(b, "desk")));
}

/* Codes are the program's own, desks those of the branch: bounded. The words stay in the status. */
static void put_problems(struct buf *b, const struct node *n, const struct moment *now)
{
    json_t *all = status_problems(n, now);
    const json_t *p;
    size_t i;

    family(b, "problem", "gauge", "1 for each problem that the status shows; peer: of which desk.");
    json_array_foreach(all, i, p)
    {
        const json_t *peer = json_object_get(p, "desk");
        size_t k = 0;
        while (k < i && !same_problem(json_array_get(all, k), p))
            k++;
        if (k == i)
            buf_printf(b, "tideover_problem{code=\"%s\",peer=\"%s\"} 1\n",
                       json_string_value(json_object_get(p, "code")),
                       peer ? json_string_value(peer) : "");
    }
    json_decref(all);
}

static void put_doors(struct buf *b, const struct node *n, const struct core_view *v)
{
    one(b, "http_requests_total", "counter", "Requests at the local door.",
        (double)http_requests(n->http));
    one(b, "http_refused_total", "counter", "Of these, refused before anything was done.",
        (double)http_refused(n->http));
    one(b, "peer_auth_failures_total", "counter", "Handshakes with keys that are not known here.",
        (double)net_refused(n->net));
    one(b, "messages_refused_total", "counter", "Messages of any desk that broke the protocol.",
        (double)v->refused);
}

void metrics_get(struct node *n, struct http_request *rq)
{
    struct moment now = node_now();
    struct buf b = { 0 };
    struct core_view v;
    struct ledger_view l;

    if (!n->conf.metrics) {
        struct errmsg msg = { .text = "" };
        err_why(&msg, ERR_MISSING, "no_such_page", "",
                "metrics are switched off ([web] metrics in tideover.conf)");
        api_error(n, rq, ERR_MISSING, &msg);
        return;
    }
    core_view(n->core, &now, &v);
    core_ledger_view(n->core, &now, &l);
    put_build(&b, n, &now);
    put_server(&b, &v, &now);
    put_records(&b, n, &v, &now);
    put_store(&b, n);
    put_peers(&b, n, &now);
    put_upload(&b, n, &l);
    put_problems(&b, n, &now);
    put_doors(&b, n, &v);
    http_answer(rq, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
}
