import { hasUnsavedEdits, wasOpen } from "./base.ts";
import { type JournalContent, listJournals, readJournal } from "./journal.ts";

/** Whether any journal in the directory holds edits that are in no file. */
export function holdsUnsavedEdits(directory: string): Promise<boolean> {
	return isAny(directory, hasUnsavedEdits);
}

/** Whether documents in the directory were open when their agent died, with edits that are in no file or without. */
export function holdsOpenDocuments(directory: string): Promise<boolean> {
	return isAny(directory, (journal) => hasUnsavedEdits(journal) || wasOpen(journal));
}

async function isAny(directory: string, isSo: (journal: JournalContent) => boolean): Promise<boolean> {
	for (const file of await listJournals(directory)) {
		const journal = await readJournal(file);
		if (journal && isSo(journal)) return true;
	}
	return false;
}
