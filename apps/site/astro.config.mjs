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
	vite: {
		resolve: {
			// The package's ES module takes about a fifth more script time for a flood of output (bench terminal).
			alias: [{ find: /^@xterm\/xterm$/, replacement: "@xterm/xterm/lib/xterm.js" }],
		},
		// No script is inlined: the pages' security policy allows files of ours only.
		build: { target: browsers, cssTarget: browsers, assetsInlineLimit: 0 },
	},
});
