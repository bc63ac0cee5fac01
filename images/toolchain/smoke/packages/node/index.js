module.exports = "hello from a Node package";
