import { type FormEvent, useState } from "react";
import { ApiProblem, sentenceOf } from "../api/client.ts";

export interface Submission {
	pending: boolean;
	onSubmit: (event: FormEvent<HTMLFormElement>) => void;
	/** What is wrong with one field. */
	fieldError: (name: string) => string | undefined;
	/** What is wrong with the whole, when no field of the form is to blame. */
	problem: string | undefined;
}

/**
 * Runs `action` when a form is sent, once at a time, and keeps what went wrong for display.
 * @param fieldNames the fields that show their own errors.
 * @param action gets the form's values; what it throws is shown. It may resolve to "leaving" while the browser goes to
 * another page, so that the form does not come alive again in between.
 */
export function useSubmit(
	fieldNames: readonly string[],
	action: (values: FormData, form: HTMLFormElement) => Promise<"leaving" | undefined>,
): Submission {
	const [pending, setPending] = useState(false);
	const [error, setError] = useState<unknown>();

	async function send(form: HTMLFormElement) {
		setPending(true);
		setError(undefined);
		try {
			if ((await action(new FormData(form), form)) === "leaving") return;
		} catch (thrown) {
			setError(thrown);
			const [first] = thrown instanceof ApiProblem ? Object.keys(thrown.fields) : [];
			if (first) form.querySelector<HTMLElement>(`[name="${CSS.escape(first)}"]`)?.focus();
		}
		setPending(false);
	}

	const fields = error instanceof ApiProblem ? error.fields : {};
	const shown = fieldNames.some((name) => name in fields);
	return {
		pending,
		onSubmit: (event) => {
			event.preventDefault();
			if (!pending) void send(event.currentTarget);
		},
		fieldError: (name) => fields[name],
		problem: error === undefined || shown ? undefined : sentenceOf(error),
	};
}

/** A text value of a form; empty when there is none. */
export function textOf(values: FormData, name: string): string {
	const value = values.get(name);
	return typeof value === "string" ? value : "";
}
