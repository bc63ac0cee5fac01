Gem::Specification.new do |gem|
  gem.name = "smoke_greeting"
  gem.version = "1.0.0"
  gem.summary = "A gem for the smoke test"
  gem.authors = ["Repldock"]
  gem.license = "MIT"
  gem.homepage = "https://example.com"
  gem.files = ["lib/smoke_greeting.rb"]
end
