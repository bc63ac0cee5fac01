import node from "@astrojs/node";
import react from "@astrojs/react";
import { defineConfig, passthroughImageService } from "astro/config";

/** The oldest browsers that draw our pages right (`light-dark()`, nesting, popovers). */
const browsers = ["chrome125", "edge125", "firefox128", "safari17.5"];

export default defineConfig({
	output: "server",
	// Our own server holds the sockets; it calls Astro for pages.
	adapter: node({ mode: "middleware" }),
	integrations: [react()],
	// Instances are stateless: accounts keep their sessions in the database.
	session: false,
	devToolbar: { enabled: false },
	image: { service: passthroughImageService() },
	// No script is inlined: the pages' security policy allows files of ours only.
	vite: { build: { target: browsers, cssTarget: browsers, assetsInlineLimit: 0 } },
});
