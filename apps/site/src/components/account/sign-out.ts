import { toast } from "@repldock/ui";
import { callApi, sentenceOf } from "../api/client.ts";

/** Ends the session and leaves for the front page; says so when that failed. */
export async function signOut(): Promise<void> {
	try {
		await callApi("POST", "/api/auth/sign-out", {});
	} catch (error) {
		toast({ title: "You are still signed in", detail: sentenceOf(error), tone: "danger" });
		return;
	}
	window.location.assign("/");
}
