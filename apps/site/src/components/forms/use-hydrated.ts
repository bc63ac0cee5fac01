import { useSyncExternalStore } from "react";

const never = () => () => {};

/** False in the HTML that the server sent, true as soon as the page can react. */
export function useHydrated(): boolean {
	return useSyncExternalStore(
		never,
		() => true,
		() => false,
	);
}
