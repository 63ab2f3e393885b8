import { enter, follow } from "./door.js";
import { byId, say } from "./dom.js";
import { t } from "./words.js";

const session = await enter("desk");
say(byId("desk-name"), session.branch + " · " + session.desk);
follow(({ status, gone }) => {
    byId("banner").dataset.state = gone ? "bad" : "good";
    say(byId("banner"), gone ? t("gone.title") : status.server.state + " " + status.records.held);
});
