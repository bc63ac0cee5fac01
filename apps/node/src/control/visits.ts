import { RepldockError, VisitAnswer, type VisitQuestion, visitsPath } from "@repldock/protocol";
import { askSite, type SiteAddress } from "./ask-site.ts";

/**
 * Asks the site whose personal token this is and whether that person may visit the project.
 * @throws RepldockError `node_unreachable` when it does not answer as it should.
 */
export function createVisitQuestions(site: SiteAddress): (question: VisitQuestion) => Promise<VisitAnswer["user"]> {
	return async (question) => {
		try {
			return VisitAnswer.parse(await askSite(site, visitsPath, question)).user;
		} catch (cause) {
			throw new RepldockError("node_unreachable", "The site cannot say who you are. Try again in a few seconds.", {
				cause,
			});
		}
	};
}
